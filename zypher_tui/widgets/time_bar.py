"""The line that is there while the past is shown: which time that is, and where it lies in what is known."""

from collections.abc import Sequence

from textual import events
from textual.message import Message
from textual.strip import Strip

from zypher_tui.core import formats
from zypher_tui.core.rows import at_of
from zypher_tui.core.times import Span
from zypher_tui.core.view import View
from zypher_tui.keymap import keymap
from zypher_tui.palette import palette
from zypher_tui.widgets.drawing import LineWidget, Part, length, line
from zypher_tui.widgets.keys import KeyLine, Spots

AGE_CELLS = 7
"""Of the longest age, and a space: the bar stays where it is under the mouse."""
LEAST_BAR = 8


class TimeBar(LineWidget):
    """``‖ 12:03:41 · 4m05s ago ━━▲━━●──▲─ [ ] 10 s  { } 5 min  ( ) trouble  p now``; for the mouse, too."""

    ALLOW_SELECT = False

    class Sought(Message):
        """That time is to be shown."""

        def __init__(self, at_s: float) -> None:
            super().__init__()
            self.at_s = at_s

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self._span = Span()
        self._shown: tuple[str, str, float, tuple[float, ...]] = ("", "", 1.0, ())
        self._bar = range(0)
        """Where it is drawn."""
        self._spots = Spots()
        self._sought: int | None = None
        """The cell of the bar that the mouse has hold of."""
        self.display = False

    def show(self, view: View, span: Span) -> None:
        """The time of the view, among all that can be shown."""
        self.display = view.past_s is not None
        if view.past_s is None:
            return
        at = formats.clock(at_of(view.now_ms)) if view.taken_at else "nothing is known"
        self._span = span
        share = min(max(span.share_of(view.now_s), 0), 1)
        ago = f"{formats.age_s(view.past_s)} {span.words[0]}"
        marks = tuple(map(span.share_of, span.moments))
        shown = (at, f"{ago:<{AGE_CELLS + len(span.words[0])}}", share, marks)
        if shown != self._shown:
            self._shown = shown
            self.refresh()

    def line_at(self, y: int) -> Strip:  # noqa: ARG002  # there is only one
        """The time, the bar, the keys: of those, the ones that leave room for the bar."""
        at, ago, share, marks = self._shown
        width = self.size.width
        left: list[Part] = [(" ‖ ", palette.WARNING), (at, palette.STRONG), (f" · {ago} ", palette.WARNING)]
        entries = [("[ ]", "10 s"), ("{ }", "5 min"), ("( )", "trouble"), ("p", self._span.words[1])]
        while entries and length(left) + LEAST_BAR + 1 + length(_keys(entries)) > width:
            del entries[-2 if len(entries) > 1 else 0]
        room = width - length(left) - length(_keys(entries)) - 1
        self._bar = range(length(left), length(left) + room) if room >= LEAST_BAR else range(0)
        if self._bar:
            place = round(share * (room - 1))
            troubled = {round(mark * (room - 1)) for mark in marks}
            for cell in range(room):
                if cell == place:
                    left.append(("●", palette.WARNING))
                elif cell in troubled:
                    left.append(("▲", palette.WARNING))
                else:
                    left.append(("━", palette.BRAND) if cell < place else ("─", palette.FRAME))
        start = length(left)
        self._spots.clear(start)
        for key, word in entries:
            end = start + length(_keys([(key, word)]))
            self._spots.add(keymap.shown(key), start=start, end=end)
            start = end
        return line([*left, *_keys(entries)], width)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Take hold of the bar."""
        if event.x in self._bar:
            self.capture_mouse()
            self._seek(event.x)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Go along it."""
        if self._sought is not None and self._bar:
            self._seek(min(max(event.x, self._bar.start), self._bar.stop - 1))

    def on_mouse_up(self) -> None:
        """Let go."""
        self._sought = None
        self.release_mouse()

    def on_click(self, event: events.Click) -> None:
        """A click on a key presses it."""
        if (key := self._spots.pressed(event.x)) is not None:
            self.post_message(KeyLine.Pressed(key))

    def _seek(self, x: int) -> None:
        """Go to the time of that cell, once."""
        if x != self._sought:
            self._sought = x
            share = (x - self._bar.start) / (len(self._bar) - 1)
            self.post_message(self.Sought(self._span.at(share)))


def _keys(entries: Sequence[tuple[str, str]]) -> list[Part]:
    return [
        part for key, word in entries for part in ((f" {keymap.shown(key)} ", palette.BRAND), (f"{word} ", palette.DIM))
    ]
