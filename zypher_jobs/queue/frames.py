"""Frames: a MessagePack head and bytes behind it in one string, as the part ``frame.lua`` writes them.

Lua's MessagePack knows no binary strings, and a job or a result is just that.
"""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_LENGTH_BYTES = 4


def unframe(message: bytes, decode: Callable[[memoryview], T]) -> tuple[T, memoryview]:
    """The head, decoded, and what stands behind it."""
    view = memoryview(message)
    end = _LENGTH_BYTES + int.from_bytes(view[:_LENGTH_BYTES], "big")
    return decode(view[_LENGTH_BYTES:end]), view[end:]
