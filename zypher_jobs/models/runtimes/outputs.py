"""``Outputs``: whether what a model returned is what it said it would return."""

import traceback
import typing
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

from zypher_jobs.errors import ModelError, PredictionCanceled, PredictionFailed
from zypher_jobs.models.call import Call
from zypher_jobs.models.definition import ModelDefinition


class Outputs:
    """Checks the outputs of one model; each method raises ``ModelError`` for what is none."""

    __slots__ = ("_chunk", "_joins", "_name", "_output")

    def __init__(self, definition: ModelDefinition) -> None:
        self._name = definition.name
        self._output = definition.output_type, _class_of(definition.output_type)
        self._chunk = definition.chunk_type, _class_of(definition.chunk_type)
        self._joins = definition.chunk_type is str

    def one(self, returned: Any) -> Any:
        """The output of a call that takes one."""
        return self._checked(returned, *self._output)

    def many(self, returned: Any, inputs: int) -> list[Any]:
        """The outputs of a call that takes many."""
        if not isinstance(returned, list):
            raise ModelError(f"Model {self._name!r} returned {type(returned).__name__} instead of a list of outputs.")
        outputs = cast("list[Any]", returned)
        if len(outputs) != inputs:
            wanted = f"{inputs} input" + ("s" if inputs > 1 else "")
            raise ModelError(f"Model {self._name!r} returned {len(outputs)} outputs for {wanted}.")
        for output in outputs:
            self._checked(output, *self._output)
        return outputs

    def collect(self, chunks: Iterator[Any], call: Call) -> Any:
        """The whole output of a stream, each piece told as it comes; ends where nobody wants it any more."""
        return self.whole([self._told(chunk, call) for chunk in chunks])

    async def collect_async(self, chunks: AsyncIterator[Any], call: Call) -> Any:
        """The same of an asynchronous one."""
        return self.whole([self._told(chunk, call) async for chunk in chunks])

    def whole(self, pieces: list[Any]) -> Any:
        """What the pieces of a stream make together."""
        return "".join(pieces) if self._joins else pieces

    def _told(self, chunk: Any, call: Call) -> Any:
        if call.canceled:
            raise PredictionCanceled("The prediction was canceled.")
        call.listener.chunk(self._checked(chunk, *self._chunk))
        return chunk

    def _checked(self, returned: Any, wanted: Any, check: type | tuple[type, ...]) -> Any:
        if not isinstance(returned, check):
            name = getattr(wanted, "__name__", str(wanted))
            raise ModelError(f"Model {self._name!r} returned {type(returned).__name__} instead of {name}.")
        return returned


def model_error(error: BaseException) -> PredictionFailed:
    """What a model raised, as the failure of its prediction."""
    if isinstance(error, PredictionFailed):
        return error
    trace = "".join(traceback.format_exception(error))
    return ModelError(f"{type(error).__name__}: {error}", traceback=trace)


def _class_of(output_type: Any) -> type | tuple[type, ...]:
    """What an output must be an instance of; ``object`` where that cannot be told cheaply (unions, Any, ...)."""
    while hasattr(output_type, "__metadata__"):
        output_type = typing.get_args(output_type)[0]
    if typing.is_typeddict(output_type):
        return dict
    if output_type is float:
        return (float, int)
    kind = typing.get_origin(output_type) or output_type
    return kind if isinstance(kind, type) and kind is not Any else object
