"""Elements of tensors: flat lists of Python values ↔ the JSON and the raw bytes of the Open Inference Protocol v2.

Raw elements are little-endian, in row-major order; those of ``BYTES`` follow their length in 4 bytes each. Nothing is
allocated for a size that is only declared: what is there is measured first.
"""

import math
import struct
import sys
from array import array
from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple, cast

import msgspec

from zypher_jobs.errors import InvalidInput, MalformedInput
from zypher_jobs.models.sentences import invalid_input

_CODES = {
    "BOOL": "B",
    "UINT8": "B",
    "UINT16": "H",
    "UINT32": "I",
    "UINT64": "Q",
    "INT8": "b",
    "INT16": "h",
    "INT32": "i",
    "INT64": "q",
    "FP16": "e",
    "BF16": "H",
    "FP32": "f",
    "FP64": "d",
}
_SIZES = {datatype: struct.calcsize(f"<{code}") for datatype, code in _CODES.items()}
"""Datatype → bytes of an element."""
DATATYPES = [*_CODES, "BYTES"]
_LENGTH = struct.Struct("<I")
_MOST_DIMENSIONS = 16

_encode = msgspec.json.Encoder().encode


class Tensor(NamedTuple):
    """A tensor with its elements, flat in row-major order. Those of ``BYTES`` are ``bytes`` or ``str``."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: list[Any]


def unpack(name: str, datatype: str, shape: tuple[int, ...], data: memoryview) -> list[Any]:
    """Raw bytes → elements; raises ``MalformedInput`` when they are not as many as the shape says."""
    count = math.prod(shape)
    if datatype == "BYTES":
        return _unpack_bytes(name, count, data)
    if len(data) != count * _SIZES[datatype]:
        raise MalformedInput(
            f"Tensor {name!r} of shape {list(shape)} and datatype {datatype} has {count * _SIZES[datatype]:,} bytes, "
            f"and {len(data):,} were sent."
        )
    match datatype:
        case "FP16":
            return list(struct.unpack(f"<{count}e", data))
        case "BF16":  # the upper half of an FP32
            widened = array("I", [half << 16 for half in _array("H", data)])
            return array("f", widened.tobytes()).tolist()
        case "BOOL":
            if bytes(data).translate(None, b"\0\1"):
                raise MalformedInput(f"Tensor {name!r}: the bytes of a BOOL tensor are 0 and 1.")
            return list(map(bool, data))
        case _:
            return _array(_CODES[datatype], data).tolist()


def pack(datatype: str, values: Sequence[Any]) -> bytes:
    """Elements → raw bytes; raises ``OverflowError``, ``struct.error`` or ``TypeError`` where one does not fit."""
    if datatype == "BYTES":
        encoded = [each.encode() if isinstance(each, str) else bytes(each) for each in values]
        return b"".join(chain.from_iterable((_LENGTH.pack(len(each)), each) for each in encoded))
    if datatype == "FP16":
        return struct.pack(f"<{len(values)}e", *values)
    packed = array(_CODES[datatype], values)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def parse(name: str, datatype: str, shape: tuple[int, ...], data: msgspec.Raw, *, where: str) -> list[Any]:
    """JSON, flat or nested → elements; raises ``InvalidInput`` where they are no such, or not as many."""
    if len(shape) > _MOST_DIMENSIONS:
        raise InvalidInput(f"Tensor {name!r} has more than {_MOST_DIMENSIONS} dimensions.", field=f"{where}.shape")
    is_nested = bytes(data).lstrip()[1:].lstrip()[:1] == b"["
    of: Any = list[_JSON_TYPES[datatype]]
    for _ in range(len(shape) - 1 if is_nested else 0):
        of = list[of]
    try:
        values = msgspec.json.decode(data, type=of)
    except (ValueError, RecursionError) as error:
        refused = invalid_input(str(error), {})
        raise InvalidInput(
            f"Tensor {name!r} ({datatype}, shape {list(shape)}): {_lowered(refused.message)}",
            field=f"{where}.data{refused.field.removeprefix('$')}",
        ) from None
    flat = _flattened(name, values, shape, where) if is_nested else values
    if len(flat) != math.prod(shape):
        raise InvalidInput(
            f"Tensor {name!r} of shape {list(shape)} has {math.prod(shape):,} elements, and {len(flat):,} were sent.",
            field=f"{where}.data",
        )
    if flat and datatype in RANGES:
        low, high = RANGES[datatype]
        if min(flat) < low or max(flat) > high:
            raise InvalidInput(
                f"Tensor {name!r}: an element of {datatype} is at least {low} and at most {high}.",
                field=f"{where}.data",
            )
    return flat


def dump(values: Sequence[Any]) -> msgspec.Raw:
    """Elements → JSON; raises ``UnicodeDecodeError`` for bytes that are no text."""
    if any(isinstance(each, bytes) for each in values):
        values = [each.decode() if isinstance(each, bytes) else each for each in values]
    return msgspec.Raw(_encode(values))


RANGES: dict[str, tuple[int, int]] = {}
for _bits in (8, 16, 32, 64):
    RANGES[f"UINT{_bits}"] = (0, 2**_bits - 1)
    RANGES[f"INT{_bits}"] = (-(2 ** (_bits - 1)), 2 ** (_bits - 1) - 1)
_JSON_TYPES: dict[str, Any] = {
    "BOOL": bool,
    "BYTES": str,
    **dict.fromkeys(RANGES, int),
    **dict.fromkeys(("FP16", "BF16", "FP32", "FP64"), float),
}


def flat_of(value: Any, rank: int) -> tuple[list[Any], tuple[int, ...] | None]:
    """The elements of nested lists, and their shape; ``None`` where they have none."""
    level, shape = [value], list[int]()
    for _ in range(rank):
        sizes = {len(each) for each in level}
        if len(sizes) > 1:
            return [], None
        shape.append(sizes.pop() if sizes else 0)
        level = list(chain.from_iterable(level))
    return level, tuple(shape)


def nested(values: list[Any], shape: Sequence[int]) -> list[Any]:
    """Elements in row-major order → as many nested lists as the first dimension says."""
    for axis in range(len(shape) - 1, 0, -1):
        size = shape[axis]
        values = [values[at * size : (at + 1) * size] for at in range(math.prod(shape[:axis]))]
    return values


def _array(code: str, data: memoryview) -> "array[Any]":
    elements: array[Any] = array(code)
    elements.frombytes(data)
    if sys.byteorder == "big":
        elements.byteswap()
    return elements


def _unpack_bytes(name: str, count: int, data: memoryview) -> list[bytes]:
    elements: list[bytes] = []
    at = 0
    while at < len(data) and len(elements) < count:
        if len(data) - at < _LENGTH.size:
            raise MalformedInput(f"Tensor {name!r} ends within the length of element {len(elements)}.")
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if length > len(data) - at:
            raise MalformedInput(
                f"Tensor {name!r}: element {len(elements)} declares {length:,} bytes, and {len(data) - at:,} are left."
            )
        elements.append(bytes(data[at : at + length]))
        at += length
    if len(elements) != count or at != len(data):
        left = f" and {len(data) - at:,} bytes too many" if at != len(data) else ""
        raise MalformedInput(f"Tensor {name!r} of {count:,} elements has {len(elements):,}{left}.")
    return elements


def _flattened(name: str, values: list[Any], shape: tuple[int, ...], where: str) -> list[Any]:
    """Nested lists → flat; each list has to be as long as the shape says."""
    level: list[Any] = [values]
    for depth, size in enumerate(shape):
        for each in level:
            if len(each) != size:
                raise InvalidInput(
                    f"Tensor {name!r} is ragged, or not of its shape {list(shape)}: "
                    f"a list in dimension {depth} has {len(each):,} items, not {size:,}.",
                    field=f"{where}.data",
                )
        level = list(chain.from_iterable(cast("list[list[Any]]", level)))
    return level


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
