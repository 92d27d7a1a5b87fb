"""What a prediction says while it runs, as it is heard."""

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from heapq import merge

import msgspec

KEPT = 200
"""Of the lines of a log, and of steps: the last ones."""
KEPT_CHARS = 4_000
"""Of an output that comes in parts: its end."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was said. Its strings are clean."""

    kind: str
    """``status``, ``progress``, ``log``, ``output``, ``gap`` or ``end``."""
    text: str = ""
    """A line of the log, a part of the output, or what is being done."""
    at: datetime | None = None
    """Of progress and of a line of the log: when it was said, where that is told."""
    progress: float | None = None
    missing: int = 0
    """Of a gap: how much that was said is kept no more."""


class Story:
    """All of it so far, bounded."""

    def __init__(self) -> None:
        self._lines = deque[tuple[int, Told]](maxlen=KEPT)
        self._steps = deque[tuple[int, Told]](maxlen=KEPT)
        self._heard = 0
        self.missing = 0
        """So much of it is kept no more."""
        self.output = ""
        """The end of what came of it."""
        self.has_ended = False
        """Whether nothing follows."""

    @property
    def said(self) -> list[Told]:
        """Progress and lines of the log, in the order in which they were said."""
        return [each for _, each in merge(self._lines, self._steps, key=lambda pair: pair[0])]

    def hear(self, told: Iterable[Told]) -> bool:
        """Take in what was said; returns whether the prediction stands otherwise since: it is to be read again."""
        is_new = False
        for each in told:
            self._heard += 1
            if each.kind == "progress":
                self._steps.append((self._heard, each))
            elif each.kind == "log":
                self._lines.append((self._heard, each))
            elif each.kind == "output":
                self.output = (self.output + each.text)[-KEPT_CHARS:]
            elif each.kind == "gap":
                self.missing += each.missing
            elif each.kind in ("status", "end"):
                is_new = True
                self.has_ended = each.kind == "end"
        return is_new
