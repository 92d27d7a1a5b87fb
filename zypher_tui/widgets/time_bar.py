"""The line that is there while the past is shown: which time that is, and where it lies in what is known."""

from textual.strip import Strip

from zypher_tui.core import formats
from zypher_tui.core.rows import at_of
from zypher_tui.core.view import View
from zypher_tui.keymap import keymap
from zypher_tui.palette import palette
from zypher_tui.widgets.drawing import LineWidget, Part, length, line


class TimeBar(LineWidget):
    """``‖ 12:03:41 · 4m05s ago ━━━━━●──── [ ] 10 s  { } 5 min  p now``."""

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self.words: tuple[str, str] = ("ago", "now")
        """What the distance is from, and what ``p`` does."""
        self._shown: tuple[str, str, float] = ("", "", 1.0)
        self.display = False

    def show(self, view: View, *, first_s: float | None, last_s: float | None) -> None:
        """The time of the view, between the first and the last that are known."""
        self.display = view.past_s is not None
        if view.past_s is None:
            return
        at = formats.clock(at_of(view.now_ms)) if view.taken_at else "nothing is known"
        span_s = (last_s or 0) - (first_s or 0)
        share = min(max((view.now_s - (first_s or 0)) / span_s, 0), 1) if span_s > 0 else 1.0
        shown = (at, f"{formats.age_s(view.past_s)} {self.words[0]}", share)
        if shown != self._shown:
            self._shown = shown
            self.refresh()

    def line_at(self, y: int) -> Strip:  # noqa: ARG002  # there is only one
        """The time, the bar, the keys: the bar and then the keys where there is room."""
        at, ago, share = self._shown
        width = self.size.width
        left: list[Part] = [(" ‖ ", palette.WARNING), (at, palette.STRONG), (f" · {ago} ", palette.WARNING)]
        right: list[Part] = []
        for key, word in (("[ ]", "10 s"), ("{ }", "5 min"), ("p", self.words[1])):
            right += [(f" {keymap.shown(key)} ", palette.BRAND), (f"{word} ", palette.DIM)]
        if length(left) + length(right) > width:
            right = []
        room = width - length(left) - length(right) - 1
        if room >= 8:
            place = round(share * (room - 1))
            left += [
                ("━" * place, palette.BRAND),
                ("●", palette.WARNING),
                ("─" * (room - 1 - place), palette.FRAME),
            ]
        return line([*left, *right], width)
