"""Whether a file looks like an ONNX model, without a library and without reading it whole.

An ONNX file is one protobuf message, ``ModelProto`` (onnx.proto, ONNX 1.19). Its top-level fields are walked by their
lengths: each must be one that ``ModelProto`` has, and they must fill the file. A pickle, a zip (PyTorch, Keras) or HDF5
ends at its first byte.
"""

import os
from pathlib import Path
from typing import BinaryIO

from zypher_jobs.errors import InvalidUpload

_VARINT, _BYTES = 0, 2
_IR_VERSION, _GRAPH = 1, 7
_FIELDS: dict[int, int] = {2: _BYTES, 3: _BYTES, 4: _BYTES, 6: _BYTES, 7: _BYTES, 8: _BYTES, 14: _BYTES}
_FIELDS.update({1: _VARINT, 5: _VARINT, 20: _BYTES, 25: _BYTES, 26: _BYTES})
_FIELDS_AT_MOST = 100_000
_OTHERS = {
    b"PK\x03\x04": "a zip archive, as PyTorch and Keras write it",
    b"\x89HDF": "an HDF5 file, as Keras writes it",
    b"GGUF": "a GGUF file",
}


def require_onnx(path: Path) -> None:
    """Raises ``InvalidUpload`` for what is no ONNX model; blocks for a moment."""
    with path.open("rb") as file:
        start = file.read(4)
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        if not _is_model(file, size):
            raise InvalidUpload(f"The file is no ONNX model{_what(start)}.", field="file")


def _what(start: bytes) -> str:
    if start[:1] == b"\x80" and start[1:2] <= b"\x05":
        return ", but a pickle, which is code and never opened; export the model to ONNX"
    return f", but {other}; export the model to ONNX" if (other := _OTHERS.get(start)) else ""


def _is_model(file: BinaryIO, size: int) -> bool:
    met: set[int] = set()
    for _ in range(_FIELDS_AT_MOST):
        if file.tell() == size:
            return {_IR_VERSION, _GRAPH} <= met
        tag = _varint(file)
        if tag is None or _FIELDS.get(tag >> 3) != tag & 7:
            return False
        value = _varint(file)
        if value is None:
            return False
        if tag & 7 == _BYTES:
            if value > size - file.tell():
                return False
            file.seek(value, os.SEEK_CUR)
        met.add(tag >> 3)
    return False


def _varint(file: BinaryIO) -> int | None:
    value = 0
    for shift in range(0, 64, 7):
        byte = file.read(1)
        if not byte:
            return None
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    return None
