"""``OnnxHook``: what users write to give an ONNX file types of their own, and code before and after it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

if TYPE_CHECKING:
    import numpy as np

In = TypeVar("In")
Out = TypeVar("Out")


class OnnxHook(Generic[In, Out]):
    """Turns callers' inputs into the tensors of a graph, and its tensors into their outputs::

        class Sentiment(OnnxHook[Text, Mood]):
            def before(self, inputs: list[Text]) -> dict[str, np.ndarray]:
                return {"text": np.array([[each.text.lower()] for each in inputs], dtype=object)}

            def after(self, outputs: dict[str, np.ndarray], inputs: list[Text]) -> list[Mood]:
                return [Mood(positive=float(row[1])) for row in outputs["probabilities"]]

    ``hook = "sentiment:Sentiment"`` in the model's manifest names it. One instance serves one version of the model;
    both methods run in a thread, several calls at once. ``In`` and ``Out`` are what callers see: the route's schema.
    """

    input_example: ClassVar[Any] = None
    """As of a ``Model``; that of the manifest wins."""
    output_example: ClassVar[Any] = None

    def load(self, directory: Path) -> None:
        """Get ready; what else it needs, such as a vocabulary, stands in ``directory``, beside the manifest."""

    def before(self, inputs: list[In], /) -> "dict[str, np.ndarray[Any, Any]]":
        """Every input tensor of the graph by name, the inputs along its first dimension.

        Floats and integers are cast to the graph's width. A graph without a batch dimension gets one input at a time.
        """
        raise NotImplementedError

    def after(self, outputs: "dict[str, np.ndarray[Any, Any]]", inputs: list[In], /) -> list[Out]:
        """One output for each input, in order, from the output tensors of the graph by name."""
        raise NotImplementedError
