"""A small chart inside other lines: one figure over time in braille, from the least to the most that it was."""

import math
from collections.abc import Sequence

from zypher_tui.core.history import columns
from zypher_tui.widgets.chart import BRAILLE

Points = Sequence[tuple[float, float | None]]


def spark(
    points: Points, *, end_s: float, step_s: float, width: int, height: int, low: float, high: float
) -> list[str]:
    """``height`` lines of ``width`` cells, each cell two columns of ``step_s``; ``low`` is the least dot."""
    values = columns(points, end_s=end_s, step_s=step_s, count=2 * width)
    span = max(high - low, 1e-9)
    levels = [
        0 if value is None else min(max(math.ceil((value - low) / span * height * 4), 1), height * 4)
        for value in values
    ]
    lines: list[str] = []
    for y in range(height):
        floor = (height - 1 - y) * 4
        filled = [min(max(level - floor, 0), 4) for level in levels]
        lines.append("".join(BRAILLE[filled[i]][filled[i + 1]] for i in range(0, len(filled), 2)))
    return lines
