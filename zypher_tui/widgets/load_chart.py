"""A chart of a whole load: one figure filled, another as a line of dots over it, from its begin to its end."""

import math
from collections.abc import Sequence

from rich.style import Style
from textual.strip import Strip

from zypher_tui.core import formats
from zypher_tui.palette import Ramp, palette
from zypher_tui.widgets.chart import AXIS_CELLS, BRAILLE, axis_label, nice_ceiling
from zypher_tui.widgets.drawing import DrawnWhole, Part, entitle, line

_DOTS = ((0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08))
"""Of a braille cell, on its left and on its right, from the bottom."""

Values = Sequence[float | None]


class LoadChart(DrawnWhole):
    """Second by second."""

    def __init__(self, *, id: str, ramp: Ramp) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self._ramp: Ramp = ramp
        self._filled: Values = ()
        self._dotted: Values = ()
        self._seconds = 1

    def show(self, title: str, filled: Values, dotted: Values, *, seconds: int) -> None:
        """A value for each second, as far as they are known; ``seconds`` in all."""
        entitle(self, title)
        entitle(self, formats.age_s(seconds), below=True)
        if (filled, dotted, seconds) != (self._filled, self._dotted, self._seconds):
            self._filled, self._dotted, self._seconds = filled, dotted, seconds
            self.refresh()

    def state(self) -> object:
        """Both figures, and for how long."""
        return self._filled, self._dotted, self._seconds

    def draw_lines(self, width: int, height: int) -> list[Strip]:
        """The axis on the left, one figure filled, the other as dots."""
        count = 2 * max(width - AXIS_CELLS, 1)
        filled, dotted = (stretched(values, self._seconds, count) for values in (self._filled, self._dotted))
        known = [value for value in (*filled, *dotted) if value is not None]
        top = nice_ceiling(max(known, default=0))
        fill, dots = ([_level(value, top, height * 4) for value in values] for values in (filled, dotted))
        shades = palette.ramp(self._ramp, height)
        strips: list[Strip] = []
        for y in range(height):
            axis = f"{axis_label(y, height, top) if known else '':>{AXIS_CELLS - 1}} "
            parts = _cells(fill, dots, floor=(height - 1 - y) * 4, shade=shades[height - 1 - y])
            strips.append(line([(axis, palette.DIM), *parts], width))
        return strips


def stretched(values: Values, seconds: int, count: int) -> list[float | None]:
    """``count`` columns for ``seconds``; one that holds several shows the highest."""
    columns: list[float | None] = []
    for column in range(count):
        first = column * seconds // count
        last = max((column + 1) * seconds // count, first + 1)
        known = [value for value in values[first:last] if value is not None]
        columns.append(max(known, default=None))
    return columns


def _level(value: float | None, top: float, dots: int) -> int:
    """How high it is; 0: nothing is known, or it is nothing."""
    return 0 if not value else min(max(math.ceil(value / top * dots), 1), dots)


def _cells(fill: Sequence[int], dots: Sequence[int], *, floor: int, shade: Style) -> list[Part]:
    """One line of cells; neighbours that look alike are one part."""
    parts: list[Part] = []
    text, style = "", shade
    for at in range(0, len(fill), 2):
        left, right = (min(max(level - floor, 0), 4) for level in fill[at : at + 2])
        drawn, over = BRAILLE[left][right], 0
        for side in (0, 1):
            if 1 <= (level := dots[at + side] - floor) <= 4:
                over |= _DOTS[side][level - 1]
        if over:
            drawn = chr(max(ord(drawn), 0x2800) | over)
        wanted = palette.STRONG if over else shade
        if wanted is not style:
            parts.append((text, style))
            text, style = "", wanted
        text += drawn
    return [*parts, (text, style)]
