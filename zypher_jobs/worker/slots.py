"""Memory that a worker and its lease keeper share: which leases are held, and what the heartbeat says.

A lease costs the worker one write of memory and no system call: at 10,000 predictions a second a pipe would be the
larger part of its price. The keeper may read a slot that is being written; what it reads then names no lease that
exists, and the script that renews does nothing with it.
"""

import mmap
import os
import struct
import tempfile

import msgspec

SLOT_BYTES = 512
_LENGTH = struct.Struct("=I")
_COUNTS = struct.Struct("=QQ?")
_HEADER_BYTES = 64


class Lease(msgspec.Struct, frozen=True, array_like=True):
    """What is renewed, until when."""

    prediction_id: str
    queue: str
    token: str
    attempt: int
    until_s: float
    """On the monotonic clock, which all processes of a machine share: past it the attempt should have ended."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Lease).decode


class Slots:
    """A table of leases with a header of counts."""

    def __init__(self, fd: int, slots: int) -> None:
        self.fd = fd
        self._slots = slots
        self._memory = mmap.mmap(fd, _HEADER_BYTES + slots * SLOT_BYTES)

    @classmethod
    def create(cls, slots: int) -> "Slots":
        """A new, empty table; its file descriptor is to be given to the keeper."""
        with tempfile.TemporaryFile() as file:
            file.truncate(_HEADER_BYTES + slots * SLOT_BYTES)
            return cls(os.dup(file.fileno()), slots)

    def write(self, slot: int, lease: Lease) -> None:
        """Put a lease into a slot; raises ``ValueError`` if its names are too long for one."""
        packed = _encode(lease)
        if len(packed) > SLOT_BYTES - _LENGTH.size:
            raise ValueError(f"{lease.prediction_id!r} and {lease.queue!r} are too long together")
        at = _HEADER_BYTES + slot * SLOT_BYTES
        start = at + _LENGTH.size
        self._memory[start : start + len(packed)] = packed
        _LENGTH.pack_into(self._memory, at, len(packed))

    def clear(self, slot: int) -> None:
        """Empty a slot."""
        _LENGTH.pack_into(self._memory, _HEADER_BYTES + slot * SLOT_BYTES, 0)

    def leases(self) -> list[Lease]:
        """Every lease that is held."""
        found: list[Lease] = []
        for slot in range(self._slots):
            at = _HEADER_BYTES + slot * SLOT_BYTES
            (length,) = _LENGTH.unpack_from(self._memory, at)
            if 0 < length <= SLOT_BYTES - _LENGTH.size:
                try:
                    found.append(_decode(self._memory[at + _LENGTH.size : at + _LENGTH.size + length]))
                except (msgspec.DecodeError, UnicodeDecodeError):
                    continue  # it is being written
        return found

    def set_counts(self, succeeded: int, failed: int, *, draining: bool) -> None:
        """What the heartbeat says."""
        _COUNTS.pack_into(self._memory, 0, succeeded, failed, draining)

    def counts(self) -> tuple[int, int, bool]:
        """Succeeded, failed, draining."""
        return _COUNTS.unpack_from(self._memory, 0)

    def close(self) -> None:
        """Give the memory back."""
        self._memory.close()
        os.close(self.fd)
