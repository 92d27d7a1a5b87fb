"""The last line: the keys. What does not fit is left out; ``?`` tells them all."""

from collections.abc import Sequence

from textual.strip import Strip

from zypher_tui.keymap import Keyed, keymap
from zypher_tui.palette import palette
from zypher_tui.widgets.drawing import LineWidget, Part, length, line

Entries = Sequence[tuple[str, str]]

FIRST: Entries = (("q", "quit"), ("?", "help"), ("enter", "details"))
LAST: Entries = (("p", "pause"), ("c", "copy"), ("[ ]", "time"), ("↑↓", "move"), ("tab", "next"))


class KeyLine(LineWidget):
    """Keys and what they do; those of the open pane stand in the middle."""

    def __init__(self, *, id: str, first: Entries = FIRST, last: Entries = LAST) -> None:  # noqa: A002  # Textual's
        super().__init__(id=id)
        self._first, self._last = first, last
        self._own: Entries = ()
        self._owners: tuple[type[Keyed], ...] = ()

    def show(self, own: Entries, *owners: type[Keyed]) -> None:
        """The open pane's own keys, and whose they are."""
        self._own, self._owners = own, owners
        self.refresh()

    def line_at(self, y: int) -> Strip:  # noqa: ARG002  # there is only one
        """As many as fit."""
        parts: list[Part] = []
        for key, word in (*self._first, *self._own, *self._last):
            entry: list[Part] = [(f" {keymap.shown(key, *self._owners)} ", palette.BRAND), (f"{word} ", palette.DIM)]
            if length(parts) + length(entry) > self.size.width:
                break
            parts += entry
        return line(parts, self.size.width)
