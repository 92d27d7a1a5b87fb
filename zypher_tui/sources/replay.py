"""Reads a recording: its lines one by one, in bounded memory, and what is amiss with it."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from zypher_tui.core.recording import Header, Line, WrongRecording, read_header, read_line
from zypher_tui.core.unpacking import Unpacker

_PIECE_BYTES = 64 * 1024
MAX_LINES = 10_000_000
MAX_DAMAGED = 100
"""Lines that cannot be understood; with more of them it is something else than a recording."""


class Replay:
    """One file. Raises ``WrongRecording`` where it is none, also while it is read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unpacker = Unpacker()
        self._packed = self._lines()
        self._damaged = 0
        first = next(self._packed, None)
        if first is None:
            raise WrongRecording("It is no recording of Zypher: there is nothing in it.")
        self.header: Header = read_header(first)

    def lines(self) -> Iterator[Line]:
        """All that it holds, in order of time; once."""
        for number, text in enumerate(self._packed):
            if number > MAX_LINES:
                raise WrongRecording(f"It has more than {MAX_LINES:,} lines: that is no recording.")
            try:
                line = read_line(text)
            except (ValueError, msgspec.DecodeError) as error:
                self._damaged += 1
                if self._damaged > MAX_DAMAGED:
                    raise WrongRecording("Most of it cannot be understood.") from error
                continue
            if line is not None:
                yield line

    @property
    def amiss(self) -> str | None:
        """What of it could not be read, as sentences, once it was read."""
        sentences = [f"{self._damaged} of its lines are damaged and left out."] if self._damaged else []
        if self._unpacker.cut is not None:
            sentences.append(self._unpacker.cut)
        return " ".join(sentences) or None

    def _lines(self) -> Iterator[bytes]:
        try:
            with self._path.open("rb") as file:
                while piece := file.read(_PIECE_BYTES):
                    yield from self._unpacker.feed(piece)
        except OSError as error:
            raise WrongRecording(f"{self._path} cannot be read: {(error.strerror or str(error)).lower()}.") from error
        self._unpacker.close()
