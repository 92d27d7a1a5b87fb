"""A filled braille chart of one figure over time, drawn through the line API (4 ms a frame at 100x15)."""

import math
from collections.abc import Sequence

from textual.strip import Strip

from zypher_tui.core import formats
from zypher_tui.core.history import columns
from zypher_tui.palette import Ramp, palette
from zypher_tui.widgets.drawing import DrawnWhole, entitle, line

AXIS_CELLS = 6
_LEFT = (0, 0x40, 0x44, 0x46, 0x47)
_RIGHT = (0, 0x80, 0xA0, 0xB0, 0xB8)
BRAILLE = [[chr(0x2800 + left + right) if left + right else " " for right in _RIGHT] for left in _LEFT]
"""A cell with so many dots from the bottom on its left and on its right. Some fonts draw rings for the empty one."""

Points = Sequence[tuple[float, float | None]]


class Chart(DrawnWhole):
    """One figure; each cell is two columns of ``step_s`` seconds."""

    def __init__(self, *, id: str, title: str, ramp: Ramp) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self.border_title = title
        self._ramp: Ramp = ramp
        self._points: Points = ()
        self._end_s = 0.0
        self._step_s = 1.0
        self._values: list[float | None] = []

    def show(self, points: Points, *, end_s: float, step_s: float) -> None:
        """Draw anew if a column changed."""
        self._points, self._end_s = points, end_s
        if step_s != self._step_s:
            self._step_s = step_s
            self._say_span()
        values = self._columns()
        if values != self._values:
            self._values = values
            self.refresh()

    def on_resize(self) -> None:
        """Another width is another span."""
        self._say_span()
        self._values = self._columns()
        self.refresh()

    def state(self) -> object:
        """Its columns."""
        return self._values

    def _say_span(self) -> None:
        entitle(self, f"last {formats.age_s(2 * self._room * self._step_s)}", below=True)

    @property
    def _room(self) -> int:
        return max(self.size.width - AXIS_CELLS, 1)

    def _columns(self) -> list[float | None]:
        return columns(self._points, end_s=self._end_s, step_s=self._step_s, count=2 * self._room)

    def draw_lines(self, width: int, height: int) -> list[Strip]:
        """The axis on the left, the columns as dots."""
        values = self._values
        known = [value for value in values if value is not None]
        top = nice_ceiling(max(known, default=0))
        levels = [0 if value is None else max(math.ceil(value / top * height * 4), 1) for value in values]
        styles = palette.ramp(self._ramp, height)
        strips: list[Strip] = []
        for y in range(height):
            floor = (height - 1 - y) * 4
            filled = [min(max(level - floor, 0), 4) for level in levels]
            dots = "".join(BRAILLE[filled[i]][filled[i + 1]] for i in range(0, len(filled), 2))
            axis = axis_label(y, height, top) if known else ""
            strips.append(line([(f"{axis:>{AXIS_CELLS - 1}} ", palette.DIM), (dots, styles[height - 1 - y])], width))
        return strips


def nice_ceiling(highest: float) -> float:
    """The least of 4, 6, 8, 10, 15, 20, 30, 40, 60, 80, 100, … that is not below ``highest``."""
    if highest <= 4:
        return 4
    power = 10 ** math.floor(math.log10(highest))
    return next(step * power for step in (1, 1.5, 2, 3, 4, 6, 8, 10) if step * power >= highest)


def axis_label(y: int, height: int, top: float) -> str:
    """What stands before a line: the highest value, 0, and where there is room half of it in the middle."""
    if y == 0:
        return formats.count(round(top))
    if y == height - 1:
        return "0"
    if height >= 5 and y == height // 2:
        return formats.count(round(top / 2)) if top >= 200 else f"{top / 2:g}"
    return ""
