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

from typing import Any, ClassVar, Generic, Literal, TypeVar

from zypher_jobs.models.retries import RetryPolicy

In = TypeVar("In")
Out = TypeVar("Out")


class Model(Generic[In, Out]):
    """A named function from ``In`` to ``Out``, both types that msgspec can decode and describe.

    The annotations of ``predict`` choose its form:

    - ``def predict(self, inputs: list[In]) -> list[Out]``: many at once, outputs in the order of the inputs;
    - ``def predict(self, input: In) -> Out``: one at a time;
    - ``def predict(self, input: In) -> Iterator[Out]``: a stream; each ``Out`` it yields goes to the caller at once,
      and the output of the whole is their list (where ``Out`` is ``str``: the text they make together);
    - ``async def`` of any: runs **on the event loop** and must not block it; for models that wait for something
      else. A plain ``def`` runs in a thread, so several calls may be in ``predict`` at once: see ``concurrency``.

    What ``predict`` raises becomes a failed prediction that says so; the process goes on.
    """

    name: ClassVar[str] = ""
    """In paths and settings; default: the class name as ``kebab-case``."""
    version: ClassVar[str] = "1"
    description: ClassVar[str] = ""
    """One line; default: the first line of the class's docstring."""
    input_example: ClassVar[Any] = None
    """Shown in the documentation, and run once before the model counts as ready. Default: derived from the type, and
    then only shown. Must fit the type."""
    output_example: ClassVar[Any] = None

    max_batch_size: ClassVar[int | None] = None
    """Inputs in one call of a ``predict`` that takes many, at most; ``None``: as many as it gains by, found while it
    runs."""
    max_wait_ms: ClassVar[float | None] = None
    """How long a free place may wait for a fuller batch, while another batch is running. Default: not at all."""
    concurrency: ClassVar[int | None] = None
    """Calls of ``predict`` that may run at once in one process of Zypher. Default: 2 where it takes many, 32 where it
    takes one; no limit for ``async def``; 1 child with ``isolation = "process"``."""
    isolation: ClassVar[Literal["thread", "process"]] = "thread"
    """``process``: in a child process, which is killed at a timeout, a cancellation or a limit, and started again."""
    memory_limit_mb: ClassVar[int | None] = None
    """Resident memory of a child in MiB, beyond which it is killed; only with ``isolation = "process"``."""
    load_timeout_s: ClassVar[float] = 300
    """How long ``load`` may take, with the warm-up; only with ``isolation = "process"``: a thread cannot be ended."""
    cache_s: ClassVar[float] = 0
    """How long an output may answer the same input again, in seconds; 0: each input is run. Not for streams."""
    cache_mb: ClassVar[int] = 64
    """Memory for such outputs in MiB, about, in each process; the least recently used ones give way."""

    retries: ClassVar[RetryPolicy] = RetryPolicy()
    """Which failures of a queued prediction are worth another attempt."""

    def load(self) -> None:
        """Get ready: called once, in a thread, before the first prediction. What it raises makes the model unready."""

    def unload(self) -> None:
        """Let go of what ``load`` took, when the model leaves memory. Called once, in a thread."""

    def predict(self, inputs: Any, /) -> Any:
        """See the class; every model writes its own."""
        raise NotImplementedError
