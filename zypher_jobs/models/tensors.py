"""``TensorForm``: a model's inputs and outputs as tensors of the Open Inference Protocol v2, for any model.

The first dimension is that of the batch: a request of shape ``[n, …]`` is n predictions. Each field of a Struct is a
tensor: ``str``, and what JSON writes as one, is ``BYTES``, ``int`` ``INT64``, ``float`` ``FP64``, ``bool`` ``BOOL``,
``bytes`` ``BYTES``, and a list one more dimension. A type that is no such Struct is one tensor called ``input`` or
``output``; where it does not fit even that (objects within objects, unions), one of ``BYTES`` with the JSON of each. A
model that is made of tensors, as an ONNX file, has its own.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import msgspec

from zypher_jobs.contracts.model import TensorSpec
from zypher_jobs.errors import InvalidInput
from zypher_jobs.models.definition import ModelDefinition
from zypher_jobs.models.elements import DATATYPES, Tensor, flat_of, nested
from zypher_jobs.models.ports import Port, ports_of

MAX_PREDICTIONS = 4096
"""In one request: each costs far more memory than its elements may."""

_encode = msgspec.json.Encoder().encode


class TensorForm:
    """How one model looks as tensors."""

    def __init__(self, definition: ModelDefinition) -> None:
        self._name = definition.name
        own = definition.tensors
        self.is_batched = own is None or own.is_batched
        """Whether its tensors have a first dimension for the predictions of a request; else a request is one."""
        if own is None:
            ins, outs = ports_of(definition.input_type, "input"), ports_of(definition.output_type, "output")
        else:
            ins, outs = ([Port(spec, spec.name) for spec in specs] for specs in (own.inputs, own.outputs))
        self._inputs = {port.spec.name: port for port in ins}
        self._outputs = {port.spec.name: port for port in outs}

    @property
    def inputs(self) -> list[TensorSpec]:
        """As one prediction takes them."""
        return [port.spec for port in self._inputs.values()]

    @property
    def outputs(self) -> list[TensorSpec]:
        """As one prediction gives them."""
        return [port.spec for port in self._outputs.values()]

    def shape(self, spec: TensorSpec) -> list[int]:
        """Of a tensor in a request or an answer, the batch with it."""
        return [-1, *spec.shape] if self.is_batched else list(spec.shape)

    def read(
        self, tensors: Sequence[Tensor], convert: Callable[[Any], Any], decode: Callable[[bytes], Any]
    ) -> list[Any]:
        """The inputs of the predictions that a request is; raises ``InvalidInput``.

        ``convert`` and ``decode`` make an input from plain values, and from JSON.
        """
        columns: dict[str | None, list[Any]] = {}
        for number, tensor in enumerate(tensors):
            where = f"$.inputs[{number}]"
            port = self._inputs.get(tensor.name)
            if port is None:
                known = ", ".join(self._inputs)
                raise InvalidInput(
                    f"Model {self._name!r} has no input tensor {tensor.name!r}; its inputs: {known}.",
                    field=f"{where}.name",
                )
            if port.member in columns:
                raise InvalidInput(f"Tensor {tensor.name!r} was sent twice.", field=f"{where}.name")
            columns[port.member] = self._column(port, tensor, where)
            first = next(iter(columns.values()))
            if len(columns[port.member]) != len(first):
                raise InvalidInput(
                    f"Tensor {tensor.name!r} has {len(columns[port.member]):,} predictions in its first dimension, "
                    f"and the first tensor {len(first):,}.",
                    field=f"{where}.shape",
                )
        if missing := [name for name, port in self._inputs.items() if port.is_required and port.member not in columns]:
            raise InvalidInput(f"Input tensor {missing[0]!r} is missing.", field="$.inputs")
        if None in columns:
            is_json = any(port.is_json for port in self._inputs.values())
            return _each((lambda json: decode(_bytes(json))) if is_json else convert, columns[None])
        if not columns:
            raise InvalidInput("A request needs an input tensor, to say how many predictions it is.", field="$.inputs")
        return _each(
            lambda row: convert(dict(zip(columns, row, strict=True))), list(zip(*columns.values(), strict=True))
        )

    def write(self, outputs: Sequence[Any], names: Sequence[str]) -> list[Tensor]:
        """Outputs of predictions → the tensors of those names; raises ``InvalidInput`` where they cannot be stacked."""
        wanted = [self._outputs[name] for name in names]
        if any(port.is_json for port in wanted):
            return [
                Tensor(names[0], "BYTES", self._stacked_shape(len(outputs), ()), [_encode(each) for each in outputs])
            ]
        plain = [msgspec.to_builtins(each, builtin_types=(bytes, bytearray, memoryview)) for each in outputs]
        return [self._stacked(port, plain) for port in wanted]

    def check_outputs(self, names: Sequence[str]) -> list[str]:
        """Those names, or all where there are none; raises ``InvalidInput`` for one that there is not."""
        for number, name in enumerate(names):
            if name not in self._outputs:
                raise InvalidInput(
                    f"Model {self._name!r} has no output tensor {name!r}; its outputs: {', '.join(self._outputs)}.",
                    field=f"$.outputs[{number}].name",
                )
        return list(dict.fromkeys(names)) or list(self._outputs)

    def _column(self, port: Port, tensor: Tensor, where: str) -> list[Any]:
        """The value of each prediction in one tensor."""
        spec = port.spec
        if tensor.datatype not in _EXACT[spec.datatype]:
            also = [each for each in DATATYPES if each in _EXACT[spec.datatype] and each != spec.datatype]
            hint = f" (or {', '.join(also)})" if also else ""
            raise InvalidInput(
                f"Tensor {tensor.name!r} must be of datatype {spec.datatype}{hint}, not {tensor.datatype}.",
                field=f"{where}.datatype",
            )
        sizes = self._sizes(spec, tensor, where)
        values = self._values(port, tensor, where)
        return values if spec.is_plain else nested(values, sizes)

    def _sizes(self, spec: TensorSpec, tensor: Tensor, where: str) -> tuple[int, ...]:
        """Of a tensor whose shape fits; the first is the number of predictions."""
        given = tensor.shape if self.is_batched else (1, *tensor.shape)
        if spec.is_plain and len(given) in {1, 2} and given[1:] in {(), (1,)}:
            sizes = given[:1]
        elif len(given) == len(spec.shape) + 1 and all(
            wanted in {-1, size} for wanted, size in zip(spec.shape, given[1:], strict=True)
        ):
            sizes = given
        else:
            raise InvalidInput(
                f"Tensor {tensor.name!r} must have the shape {self.shape(spec)} (-1 is any size), "
                f"not {list(tensor.shape)}.",
                field=f"{where}.shape",
            )
        if not 0 < sizes[0] <= MAX_PREDICTIONS:
            raise InvalidInput(
                f"A request is 1 to {MAX_PREDICTIONS:,} predictions, the first dimension of its tensors; "
                f"that of {tensor.name!r} is {sizes[0]:,}.",
                field=f"{where}.shape",
            )
        if (math.prod(sizes[:-1]) > MAX_PREDICTIONS and sizes[-1] == 0) or 0 in sizes[:-1]:
            raise InvalidInput(f"Tensor {tensor.name!r} is empty.", field=f"{where}.shape")
        return sizes

    def _values(self, port: Port, tensor: Tensor, where: str) -> list[Any]:
        values = tensor.values
        if tensor.datatype in _FLOATS and not all(map(math.isfinite, values)):
            at = next(number for number, each in enumerate(values) if not math.isfinite(each))
            raise InvalidInput(
                f"Tensor {tensor.name!r} must hold finite numbers; its element {at} is {values[at]}.",
                field=f"{where}.data[{at}]",
            )
        if port.spec.datatype != "BYTES" or port.is_json:
            return values
        if port.is_raw:
            return [_bytes(each) for each in values]
        try:
            return [each if isinstance(each, str) else each.decode() for each in values]
        except UnicodeDecodeError:
            raise InvalidInput(f"Tensor {tensor.name!r} must hold text in UTF-8.", field=f"{where}.data") from None

    def _stacked(self, port: Port, outputs: Sequence[Any]) -> Tensor:
        spec = port.spec
        rank = 0 if spec.is_plain else len(spec.shape)
        values, shape = list[Any](), None
        for output in outputs:
            value = output if port.member is None else output[port.member]
            if isinstance(value, Mapping):
                value = list(cast("Mapping[Any, Any]", value).values())
            flat, found = flat_of(value, rank)
            if found is None or shape not in {None, found}:
                raise InvalidInput(
                    f"Output {spec.name!r} is not of one size in every part of it, so it is no tensor; ask for the "
                    f"predictions one by one, or without this output, or at /models/{self._name}/predict.",
                    field="$.outputs",
                )
            values += flat
            shape = found
        sizes = spec.shape if spec.is_plain else shape or ()
        return Tensor(spec.name, spec.datatype, self._stacked_shape(len(outputs), sizes), values)

    def _stacked_shape(self, count: int, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (count, *shape) if self.is_batched else shape


_FLOATS = {"FP16", "BF16", "FP32", "FP64"}
_EXACT: dict[str, set[str]] = {
    "BOOL": {"BOOL"},
    "BYTES": {"BYTES"},
    "FP16": {"FP16", "INT8", "UINT8"},
    "FP32": {"FP32", "FP16", "BF16", "INT8", "UINT8", "INT16", "UINT16"},
    "FP64": {*_FLOATS, "INT8", "UINT8", "INT16", "UINT16", "INT32", "UINT32"},
}
"""Datatype → those whose every value it has too."""
for _bits in (8, 16, 32, 64):
    _narrower = [bits for bits in (8, 16, 32, 64) if bits < _bits]
    _EXACT[f"UINT{_bits}"] = {f"UINT{bits}" for bits in (*_narrower, _bits)}
    _EXACT[f"INT{_bits}"] = {f"INT{bits}" for bits in (*_narrower, _bits)} | {f"UINT{bits}" for bits in _narrower}


def _each(make: Callable[[Any], Any], rows: Sequence[Any]) -> list[Any]:
    """The input of each prediction; where there are several, what is said of a bad one says which."""
    inputs: list[Any] = []
    for number, row in enumerate(rows):
        try:
            inputs.append(make(row))
        except InvalidInput as error:
            if len(rows) == 1:
                raise
            raise InvalidInput(f"Prediction {number} of {len(rows)}: {error.message}", field=error.field) from None
    return inputs


def _bytes(element: str | bytes) -> bytes:
    return element.encode() if isinstance(element, str) else element
