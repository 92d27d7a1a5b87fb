"""``Model``: the class that users write. About ten lines make one::

    class Text(msgspec.Struct, forbid_unknown_fields=True):
        text: str

    class Count(msgspec.Struct):
        words: int

    class WordCount(Model[Text, Count]):
        "Counts the words of a text."

        def predict(self, inputs: list[Text]) -> list[Count]:
            return [Count(words=len(i.text.split())) for i in inputs]

``ZYPHER_MODELS=word_count:WordCount`` then serves it at ``/models/word-count/predict``.
"""

from typing import Any, ClassVar, Generic, TypeVar

from zypher_jobs.models.retries import RetryPolicy

In = TypeVar("In")
Out = TypeVar("Out")


class Model(Generic[In, Out]):
    """A named function from ``In`` to ``Out``, both types that msgspec can decode and describe.

    The annotations of ``predict`` choose its form:

    - ``def predict(self, inputs: list[In]) -> list[Out]``: many at once, outputs in the order of the inputs;
    - ``def predict(self, input: In) -> Out``: one at a time;
    - ``async def`` of either: runs **on the event loop** and must not block it; for models that wait for something
      else. A plain ``def`` runs in a thread, so several predictions may be in ``predict`` at once.

    What ``predict`` raises becomes a failed prediction that says so; the process goes on.
    """

    name: ClassVar[str] = ""
    """In paths and settings; default: the class name as ``kebab-case``."""
    version: ClassVar[str] = "1"
    description: ClassVar[str] = ""
    """One line; default: the first line of the class's docstring."""
    input_example: ClassVar[Any] = None
    """Shown in the documentation; default: derived from the type. Must fit the type."""
    output_example: ClassVar[Any] = None

    retries: ClassVar[RetryPolicy] = RetryPolicy()
    """Which failures of a queued prediction are worth another attempt."""

    def load(self) -> None:
        """Get ready: called once, in a thread, before the first prediction. What it raises makes the model unready."""

    def predict(self, inputs: Any, /) -> Any:
        """See the class; every model writes its own."""
        raise NotImplementedError
