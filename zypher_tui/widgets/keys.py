"""The last line: the keys. What does not fit is left out; ``?`` tells them all."""

from collections.abc import Sequence

from textual import events
from textual.message import Message
from textual.strip import Strip

from zypher_tui.keymap import Keyed, keymap
from zypher_tui.palette import palette
from zypher_tui.widgets.drawing import LineWidget, Part, length, line

Entries = Sequence[tuple[str, str]]

FIRST: Entries = (("q", "quit"), ("?", "help"), ("enter", "details"))
LAST: Entries = (("p", "pause"), ("c", "copy"), ("[ ]", "time"), ("↑↓", "move"), ("tab", "next"), (":", "commands"))


class Spots:
    """Where keys are drawn on a line, so that a click on one presses it."""

    def __init__(self) -> None:
        self._ends: list[tuple[str, int]] = []
        self._start = 0

    def clear(self, start: int = 0) -> None:
        """There are none before that cell, and none are known behind it yet."""
        self._ends, self._start = [], start

    def add(self, shown: str, *, start: int, end: int) -> None:
        """An entry: each of its keys, the last of which has the word behind it."""
        keys = shown.split(" ")
        for key in keys[:-1]:
            start += len(key) + 1
            self._ends.append((key, start))
        self._ends.append((keys[-1], end))

    def pressed(self, x: int) -> str | None:
        """The key at that cell, in Textual's words."""
        shown = next((shown for shown, end in self._ends if self._start <= x < end), None)
        return keymap.pressed(shown) if shown else None


class KeyLine(LineWidget):
    """Keys and what they do; those of the open pane stand in the middle."""

    class Pressed(Message):
        """A key was clicked."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    def __init__(self, *, id: str, first: Entries = FIRST, last: Entries = LAST) -> None:  # noqa: A002  # Textual's
        super().__init__(id=id)
        self._first, self._last = first, last
        self._own: Entries = ()
        self._owners: tuple[type[Keyed], ...] = ()
        self._spots = Spots()

    def show(self, own: Entries, *owners: type[Keyed]) -> None:
        """The open pane's own keys, and whose they are."""
        self._own, self._owners = own, owners
        self.refresh()

    def line_at(self, y: int) -> Strip:  # noqa: ARG002  # there is only one
        """As many as fit."""
        parts: list[Part] = []
        self._spots.clear()
        for key, word in (*self._first, *self._own, *self._last):
            shown = keymap.shown(key, *self._owners)
            entry: list[Part] = [(f" {shown} ", palette.BRAND), (f"{word} ", palette.DIM)]
            if length(parts) + length(entry) > self.size.width:
                break
            self._spots.add(shown, start=length(parts), end=length(parts) + length(entry))
            parts += entry
        return line(parts, self.size.width)

    def on_click(self, event: events.Click) -> None:
        """A click on a key presses it."""
        if (key := self._spots.pressed(event.x)) is not None:
            self.post_message(self.Pressed(key))
