"""``Notes``: what a running prediction says, gathered from whatever thread says it until somebody takes it."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from zypher_jobs.contracts.telling import LogLine, Progress
from zypher_jobs.errors import ModelError

UNTAKEN_BYTES = 1_048_576
"""Of what nobody takes the oldest is dropped beyond this."""
NOTE_BYTES = 64
"""What a note takes beside its text, about."""
MESSAGE_CHARS = 200
LINE_CHARS = 2_000
LINES_KEPT = 10
"""Of the log, beside the notes: its end, for who looks at the prediction and not at its events."""

_encode = msgspec.json.Encoder().encode
_lock = threading.Lock()
"""Of all notes: it is held for a microsecond."""


class Note(NamedTuple):
    """One event."""

    kind: str
    """``progress``, ``log`` or ``output``."""
    data: bytes
    """JSON: ``Progress``, ``LogLine``, or a piece of the output."""

    @property
    def size(self) -> int:
        """In bytes, as bounds count it."""
        return len(self.data) + NOTE_BYTES


class Notes:
    """A ``Listener``. For a prediction that says nothing, as most do, nothing is made but the object itself."""

    newest: Progress | None = None
    lines: deque[str] | None = None
    _notes: deque[Note] | None = None
    _bytes = 0
    _dropped = 0
    _is_told = False
    _is_closed = False

    def __init__(self, loop: asyncio.AbstractEventLoop, told: Callable[[Any], None]) -> None:
        """``told`` is called on the loop, with these notes, when something new is there since they were taken."""
        self._loop = loop
        self._told = told

    @property
    def is_closed(self) -> bool:
        """Whether nothing is heard any more."""
        return self._is_closed

    @property
    def has_untaken(self) -> bool:
        """Whether there is something to be taken."""
        return bool(self._notes) or self._dropped > 0

    @property
    def untaken_bytes(self) -> int:
        """How much there is to be taken."""
        return self._bytes

    def progress(self, fraction: float, message: str) -> None:
        """See ``Listener``; what is not taken yet gives way to it."""
        self.newest = Progress(progress=fraction, message=_text(message, MESSAGE_CHARS), at=datetime.now(UTC))
        self._add(Note("progress", _encode(self.newest)))

    def log(self, line: str) -> None:
        """See ``Listener``."""
        kept = _text(line, LINE_CHARS)
        if self.lines is None:
            self.lines = deque(maxlen=LINES_KEPT)
        self.lines.append(kept)
        self._add(Note("log", _encode(LogLine(at=datetime.now(UTC), line=kept))))

    def chunk(self, output: Any) -> None:
        """See ``Listener``; raises ``ModelError`` for what JSON cannot hold."""
        try:
            data = _encode(output)
        except (TypeError, ValueError, RecursionError) as error:
            raise ModelError(f"The model yielded what JSON cannot hold: {error}.") from error
        self._add(Note("output", data))

    def take(self) -> tuple[int, list[Note]]:
        """How many were dropped, and what was said since, of progress only the newest."""
        with _lock:
            notes, dropped = self._notes or (), self._dropped
            if notes:
                self._notes = deque()
            self._bytes = self._dropped = 0
            self._is_told = False
        last = max((at for at, note in enumerate(notes) if note.kind == "progress"), default=0)
        return dropped, [note for at, note in enumerate(notes) if note.kind != "progress" or at == last]

    def close(self) -> None:
        """Hear nothing more: a thread may go on when its prediction has ended."""
        self._is_closed = True

    def _add(self, note: Note) -> None:
        with _lock:
            if self._is_closed:
                return
            if self._notes is None:
                self._notes = deque()
            if note.kind == "progress" and self._notes and self._notes[-1].kind == "progress":
                self._bytes -= self._notes.pop().size
            self._notes.append(note)
            self._bytes += note.size
            while self._bytes > UNTAKEN_BYTES:
                self._bytes -= self._notes.popleft().size
                self._dropped += 1
            was_told, self._is_told = self._is_told, True
        if not was_told:
            with suppress(RuntimeError):  # the loop is closed: nobody listens any more
                self._loop.call_soon_threadsafe(self._told, self)


def _text(text: str, chars: int) -> str:
    """Cut, and without what no encoder takes."""
    kept = text if len(text) <= chars else text[: chars - 1] + "…"
    return kept if kept.isascii() else kept.encode(errors="replace").decode()
