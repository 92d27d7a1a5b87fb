"""A chart of a whole load: one figure filled, another as a line of dots over it, from its begin to its end."""

import math
from collections.abc import Sequence

from rich.style import Style
from textual.strip import Strip

from zypher_tui.core import formats
from zypher_tui.palette import Ramp, palette
from zypher_tui.widgets.chart import AXIS_CELLS, BRAILLE, axis_label, nice_ceiling
from zypher_tui.widgets.drawing import LineWidget, Part, entitle, line

_DOTS = ((0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08))
"""Of a braille cell, on its left and on its right, from the bottom."""

Values = Sequence[float | None]


class LoadChart(LineWidget):
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

    def line_at(self, y: int) -> Strip:
        """One line of it."""
        width, height = self.size
        count = 2 * max(width - AXIS_CELLS, 1)
        filled, dotted = (stretched(values, self._seconds, count) for values in (self._filled, self._dotted))
        top = nice_ceiling(max((value for value in (*filled, *dotted) if value is not None), default=0))
        floor = (height - 1 - y) * 4
        fill, dots = ([_level(value, top, height * 4) - floor for value in values] for values in (filled, dotted))
        shade = palette.ramp(self._ramp, height)[height - 1 - y]
        axis = f"{axis_label(y, height, top):>{AXIS_CELLS - 1}} "
        return line([(axis, palette.DIM), *_cells(fill, dots, shade)], width)


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


def _cells(fill: Sequence[int], dots: Sequence[int], shade: Style) -> list[Part]:
    parts: list[Part] = []
    for at in range(0, len(fill), 2):
        left, right = (min(max(level, 0), 4) for level in fill[at : at + 2])
        drawn = ord(BRAILLE[left][right])
        over = sum(_DOTS[side][level - 1] for side, level in enumerate(dots[at : at + 2]) if 1 <= level <= 4)
        if over:
            drawn = (max(10240, drawn)) | over
        parts.append((chr(drawn), palette.STRONG if over else shade))
    return parts
