"""The bytes of a recording → its lines, as far as they go, and never more than a person's machine can bear."""

import zlib
from collections.abc import Iterator

from zypher_tui.core.recording import MAX_LINE_BYTES, MAX_TOTAL_BYTES, WrongRecording

_STEP_BYTES = 256 * 1024
"""Unpacked at once."""
_GZIP = 31
"""zlib's word for it."""


_RAW = -15
_FLUSHED = b"\x00\x00\xff\xff"
"""What stands in a packed stream where it was flushed."""
_MOST_TRIES = 5_000
_TRIED_BYTES = 512


def last_lines(tail: bytes) -> list[bytes]:
    """The last lines of a recording out of its last bytes, from where its writer began anew; none if that is nowhere.

    From where it was only flushed nothing can be unpacked, which shows within a few bytes.
    """
    at = len(tail)
    for _ in range(_MOST_TRIES):
        at = tail.rfind(_FLUSHED, 0, at)
        if at < 0:
            break
        begin = at + len(_FLUSHED)
        try:
            if zlib.decompressobj(_RAW).decompress(tail[begin : begin + _TRIED_BYTES], 64).startswith(b'{"'):
                unpacked = zlib.decompressobj(_RAW).decompress(tail[begin:], MAX_LINE_BYTES)
                return unpacked.split(b"\n")[:-1]
        except zlib.error:
            continue
    return []


class Unpacker:
    """Takes the bytes in any pieces; ``close`` it at the end and look at ``cut``."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP)
        self._rest: list[bytes] = []
        self._rest_bytes = 0
        self._total_bytes = 0
        self._is_begun = False
        self.cut: str | None = None
        """Why what follows cannot be read, as a sentence; ``None``: nothing is amiss (yet)."""

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The lines that are whole by now, without their ends. Raises ``WrongRecording``."""
        unpacked = b"-"
        while (piece or unpacked) and self.cut is None and not self._stream.eof:
            try:
                unpacked = self._stream.decompress(piece, _STEP_BYTES)
            except zlib.error as error:
                if not self._is_begun:
                    raise WrongRecording("It is no recording of Zypher: it is not packed with gzip.") from error
                self.cut = "It is damaged from there on."
                return
            piece = self._stream.unconsumed_tail
            yield from self._lines(unpacked)

    def close(self) -> None:
        """Say that nothing follows."""
        if self.cut is None and not self._stream.eof:
            self.cut = "It has no end: its writer was killed, or is still at it."
        elif self.cut is None and self._rest_bytes:
            self.cut = "Its last line has no end."

    def _lines(self, unpacked: bytes) -> Iterator[bytes]:
        self._is_begun = self._is_begun or bool(unpacked)
        self._total_bytes += len(unpacked)
        if self._total_bytes > MAX_TOTAL_BYTES:
            raise WrongRecording(f"It unpacks to more than {MAX_TOTAL_BYTES // 2**30} GiB: that is no recording.")
        first, *others = unpacked.split(b"\n")
        self._rest.append(first)
        self._rest_bytes += len(first)
        for following in others:
            if self._rest_bytes <= MAX_LINE_BYTES:
                yield b"".join(self._rest)
            self._rest, self._rest_bytes = [following], len(following)
        if self._rest_bytes > MAX_LINE_BYTES:
            raise WrongRecording(
                f"One of its lines is longer than {MAX_LINE_BYTES // 2**20} MiB: that is no recording."
            )
