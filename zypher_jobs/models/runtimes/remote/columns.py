"""``Columns``: the inputs of several predictions ↔ the tensors of one request."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import msgspec

from zypher_jobs.contracts.model import Tensors, TensorSpec
from zypher_jobs.errors import InvalidInput, PredictionFailed
from zypher_jobs.models.definition import ModelDefinition
from zypher_jobs.models.elements import Tensor, flat_of, nested
from zypher_jobs.models.runtimes.remote.server import broken
from zypher_jobs.models.sentences import invalid_input

_MOST_EMPTY_LISTS = 4096
"""A shape can promise more of them than there is memory, without one element."""
_Row = list[tuple[list[Any], tuple[int, ...]]]
"""Of each input tensor its elements and its shape."""


class Group(NamedTuple):
    """What goes in one request."""

    tensors: list[Tensor]
    members: Sequence[int]
    """Which of the inputs are in it, in order."""


class Columns:
    """How predictions of one model are stacked and split."""

    def __init__(self, definition: ModelDefinition, *, is_binary: bool) -> None:
        self.is_binary = is_binary
        self._definition = definition
        self._tensors = cast("Tensors", definition.tensors)

    def groups(self, inputs: Sequence[Any]) -> list[Group]:
        """The requests of a batch: one for the inputs of each size; raises ``PredictionFailed``.

        They are several also where the model has come back without a dimension for batches while they waited.
        """
        rows = [self._row(input) for input in inputs]
        if not self._tensors.is_batched:
            return [Group(self._stacked([row]), (number,)) for number, row in enumerate(rows)]
        by_size = dict[tuple[tuple[int, ...], ...], list[int]]()
        for number, row in enumerate(rows):
            by_size.setdefault(tuple(shape for _, shape in row), []).append(number)
        return [Group(self._stacked([rows[at] for at in members]), members) for members in by_size.values()]

    def _row(self, input: Any) -> _Row:
        """The tensors of one input; it may have come while the model's types were not known, or were others."""
        definition = self._definition
        if not isinstance(input, definition.input_type):
            try:
                input = msgspec.convert(msgspec.to_builtins(input), definition.input_type)
            except msgspec.ValidationError as error:
                refused = invalid_input(str(error), definition.input_schema)
                raise PredictionFailed(refused.message, code=refused.code) from None
            except InvalidInput as refused:
                raise PredictionFailed(refused.message, code=refused.code) from None
        fields = zip(self._tensors.inputs, input.__struct_fields__, strict=True)
        return [
            cast("Any", flat_of(getattr(input, field), 0 if spec.is_plain else len(spec.shape)))
            for spec, field in fields
        ]

    def _stacked(self, rows: Sequence[_Row]) -> list[Tensor]:
        tensors: list[Tensor] = []
        for number, spec in enumerate(self._tensors.inputs):
            shape = spec.shape if spec.is_plain else rows[0][number][1]
            values = [value for row in rows for value in row[number][0]]
            sizes = (len(rows), *shape) if self._tensors.is_batched else shape
            tensors.append(Tensor(spec.name, spec.datatype, sizes, values))
        return tensors

    def outputs(self, answered: Sequence[Tensor], count: int) -> list[Any]:
        """The outputs of ``count`` predictions; raises ``RemoteFailed`` for what is not what the server described."""
        found = {tensor.name: tensor for tensor in answered}
        names = [spec.name for spec in self._tensors.outputs]
        columns = [self._column(spec, found.get(spec.name), count) for spec in self._tensors.outputs]
        outputs: list[Any] = []
        for values in zip(*columns, strict=True):
            try:
                outputs.append(msgspec.convert(dict(zip(names, values, strict=True)), self._definition.output_type))
            except msgspec.ValidationError as error:
                refused = invalid_input(str(error), self._definition.output_schema)
                raise broken(self._definition.name, f"it is not what was described: {refused.message}") from None
        return outputs

    def _column(self, spec: TensorSpec, tensor: Tensor | None, count: int) -> list[Any]:
        """The value of each prediction in one output."""
        name = self._definition.name
        if tensor is None:
            raise broken(name, f"output {spec.name!r} is missing")
        sizes = tensor.shape if self._tensors.is_batched else (1, *tensor.shape)
        if sizes[:1] != (count,):
            raise broken(name, f"output {spec.name!r} has the shape {list(tensor.shape)} for {count} predictions")
        values = tensor.values
        if any(isinstance(each, float) and not math.isfinite(each) for each in values):
            raise broken(name, f"output {spec.name!r} has NaN or infinity, which JSON cannot hold")
        if tensor.datatype == "BYTES":
            try:
                values = [each if isinstance(each, str) else each.decode() for each in values]
            except UnicodeDecodeError:
                raise broken(name, f"output {spec.name!r} is not text in UTF-8") from None
        if spec.is_plain and len(values) == count:
            return values
        if not values and max(math.prod(sizes[:axis]) for axis in range(len(sizes))) > _MOST_EMPTY_LISTS:
            raise broken(name, f"output {spec.name!r} is empty, of shape {list(tensor.shape)}")
        return nested(values, sizes)
