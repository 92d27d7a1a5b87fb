"""What a prediction says while it runs, as it is heard."""

from collections import deque
from collections.abc import Iterable
from datetime import datetime

import msgspec

KEPT_LINES = 200
KEPT_CHARS = 4_000
"""Of an output that comes in parts: its end."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was said. Its strings are clean."""

    kind: str
    """``status``, ``progress``, ``log``, ``output``, ``gap`` or ``end``."""
    text: str = ""
    """A line of the log, a part of the output, or what is being done."""
    at: datetime | None = None
    """Of a line of the log."""
    progress: float | None = None


class Story:
    """All of it so far, bounded."""

    def __init__(self) -> None:
        self.lines = deque[Told](maxlen=KEPT_LINES)
        self.output = ""
        """The end of what came of it."""
        self.progress: float | None = None
        self.message = ""

    def hear(self, told: Iterable[Told]) -> bool:
        """Take in what was said; returns whether the prediction stands otherwise since: it is to be read again."""
        is_new = False
        for each in told:
            if each.kind == "progress":
                self.progress, self.message = each.progress, each.text
            elif each.kind == "log":
                self.lines.append(each)
            elif each.kind == "output":
                self.output = (self.output + each.text)[-KEPT_CHARS:]
            elif each.kind in ("status", "end"):
                is_new = True
        return is_new
