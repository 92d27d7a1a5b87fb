"""The last line: the keys. What does not fit is left out; ``?`` tells them all."""

from collections.abc import Sequence

from textual.strip import Strip

from zypher_tui.keymap import Keyed, keymap
from zypher_tui.palette import palette
from zypher_tui.widgets.drawing import LineWidget, Part, length, line

FIRST = (("q", "quit"), ("?", "help"), ("enter", "details"))
LAST = (("p", "pause"), ("c", "copy"), ("[ ]", "time"), ("↑↓", "move"), ("tab", "next"))


class KeyLine(LineWidget):
    """Keys and what they do; those of the open pane stand in the middle."""

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self._own: Sequence[tuple[str, str]] = ()
        self._owners: tuple[type[Keyed], ...] = ()

    def show(self, own: Sequence[tuple[str, str]], *owners: type[Keyed]) -> None:
        """The open pane's own keys, and whose they are."""
        self._own, self._owners = own, owners
        self.refresh()

    def line_at(self, y: int) -> Strip:  # noqa: ARG002  # there is only one
        """As many as fit."""
        parts: list[Part] = []
        for key, word in (*FIRST, *self._own, *LAST):
            entry: list[Part] = [(f" {keymap.shown(key, *self._owners)} ", palette.BRAND), (f"{word} ", palette.DIM)]
            if length(parts) + length(entry) > self.size.width:
                break
            parts += entry
        return line(parts, self.size.width)
