"""Reads a recording: its lines one by one, in bounded memory, and what is amiss with it."""

import contextlib
import os
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from zypher_tui.core.recording import FrameLine, Glance, Header, Line, WrongRecording, glance_at, read_header, read_line
from zypher_tui.core.shrinking import Restorer
from zypher_tui.core.unpacking import Unpacker, last_lines

_PIECE_BYTES = 64 * 1024
_TAIL_BYTES = 1024 * 1024
MAX_LINES = 10_000_000
MAX_DAMAGED = 100
"""Lines that cannot be understood; with more of them it is something else than a recording."""


class Replay:
    """One file. Raises ``WrongRecording`` where it is none, also while it is read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unpacker = Unpacker()
        self._packed = self._lines()
        self._restorer = Restorer()
        self._damaged = 0
        self._read_bytes = self._size_bytes = 0
        first = next(self._packed, None)
        if first is None:
            raise WrongRecording("It is no recording of Zypher: there is nothing in it.")
        self.header: Header = read_header(first)

    def lines(self, is_wanted: Callable[[FrameLine | Glance], bool] = lambda _: True) -> Iterator[Line]:
        """All that it holds, in order of time, once; frames only if they are wanted, and then with all counters."""
        for number, text in enumerate(self._packed):
            if number > MAX_LINES:
                raise WrongRecording(f"It has more than {MAX_LINES:,} lines: that is no recording.")
            glance = glance_at(text)
            if glance is not None and not is_wanted(glance):
                self._restorer.take(glance)
                continue
            try:
                line = read_line(text)
            except (ValueError, msgspec.DecodeError) as error:
                self._damaged += 1
                if self._damaged > MAX_DAMAGED:
                    raise WrongRecording("Most of it cannot be understood.") from error
                continue
            if isinstance(line, FrameLine):
                if glance is None and not is_wanted(line):
                    self._restorer.take(line)
                    continue
                line = self._restorer.restore(line)
            if line is not None:
                yield line

    def end_s(self) -> float | None:
        """When its last line was written, in Unix time; ``None``: there is no line. Reads all of it if it must."""
        last = deque(self._last_lines() or self._packed, maxlen=MAX_DAMAGED)
        while last:
            with contextlib.suppress(ValueError, msgspec.DecodeError):
                if (line := read_line(last.pop())) is not None:
                    return line.at.timestamp()
        return None

    @property
    def share(self) -> float:
        """How much of the file was read."""
        return self._read_bytes / max(self._size_bytes, 1)

    @property
    def amiss(self) -> str | None:
        """What of it could not be read, as sentences, once it was read."""
        damaged = self._damaged + self._restorer.refused
        sentences = [f"{damaged} of its lines are damaged and left out."] if damaged else []
        if self._unpacker.cut is not None:
            sentences.append(self._unpacker.cut)
        return " ".join(sentences) or None

    def _lines(self) -> Iterator[bytes]:
        try:
            with self._path.open("rb") as file:
                self._size_bytes = os.fstat(file.fileno()).st_size
                while piece := file.read(_PIECE_BYTES):
                    self._read_bytes += len(piece)
                    yield from self._unpacker.feed(piece)
        except OSError as error:
            raise WrongRecording(f"It cannot be read: {(error.strerror or str(error)).lower()}.") from error
        self._unpacker.close()

    def _last_lines(self) -> list[bytes]:
        with contextlib.suppress(OSError), self._path.open("rb") as file:
            file.seek(max(os.fstat(file.fileno()).st_size - _TAIL_BYTES, 0))
            return last_lines(file.read(_TAIL_BYTES))
        return []
