"""Reads a recording: its lines one by one, in bounded memory, and what is amiss with it."""

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from zypher_tui.core.recording import FrameLine, Header, Line, WrongRecording, read_header, read_line
from zypher_tui.core.shrinking import Restorer
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

    def lines(self, is_wanted: Callable[[FrameLine], bool] = lambda _: True) -> Iterator[Line]:
        """All that it holds, in order of time, once; frames only if they are wanted, and then with all counters."""
        restorer = Restorer()
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
            if isinstance(line, FrameLine):
                line = restorer.restore(line) if is_wanted(line) else restorer.take(line)
            if line is not None:
                yield line

    def end_s(self) -> float | None:
        """When its last line was written, in Unix time; reads all of it. ``None``: there is no line."""
        last = deque(self._packed, maxlen=MAX_DAMAGED)
        while last:
            with contextlib.suppress(ValueError, msgspec.DecodeError):
                if (line := read_line(last.pop())) is not None:
                    return line.at.timestamp()
        return None

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
            raise WrongRecording(f"It cannot be read: {(error.strerror or str(error)).lower()}.") from error
        self._unpacker.close()
