"""A small chart inside other lines: one figure over time in braille, from the least to the most that it was."""

import math
from collections.abc import Sequence

from zypher_tui.widgets.chart import BRAILLE


def spark(values: Sequence[float | None], *, height: int, low: float, high: float) -> list[str]:
    """``height`` lines, two values a cell; ``low`` is the least dot, and what is not known has none."""
    span = max(high - low, 1e-9)
    levels = [
        0 if value is None else min(max(math.ceil((value - low) / span * height * 4), 1), height * 4)
        for value in values
    ]
    lines: list[str] = []
    for y in range(height):
        floor = (height - 1 - y) * 4
        filled = [min(max(level - floor, 0), 4) for level in levels]
        lines.append("".join(BRAILLE[filled[i]][filled[i + 1]] for i in range(0, len(filled) - 1, 2)))
    return lines
