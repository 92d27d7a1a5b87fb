"""The last line: the keys. What does not fit is left out; ``?`` tells them all."""

from textual.strip import Strip

from zypher_tui.palette import palette
from zypher_tui.widgets.drawing import LineWidget, Part, length, line

KEYS = (
    ("q", "quit"),
    ("?", "help"),
    ("enter", "details"),
    ("/", "filter"),
    ("p", "pause"),
    ("c", "copy"),
    ("↑↓", "move"),
    ("tab", "next"),
    ("t", "span"),
)


class KeyLine(LineWidget):
    """Keys and what they do."""

    def line_at(self, y: int) -> Strip:  # noqa: ARG002  # there is only one
        """As many as fit."""
        parts: list[Part] = []
        for key, word in KEYS:
            entry: list[Part] = [(f" {key} ", palette.BRAND), (f"{word} ", palette.DIM)]
            if length(parts) + length(entry) > self.size.width:
                break
            parts += entry
        return line(parts, self.size.width)
