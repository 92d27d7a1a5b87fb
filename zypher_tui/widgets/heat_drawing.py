"""How a grid of latencies is drawn: two bands in each cell as half blocks, brighter where there are more; its times."""

import math
from functools import lru_cache

from rich.style import Style

from zypher_tui.core import cells, formats
from zypher_tui.core.heat import Grid
from zypher_tui.core.rows import at_of
from zypher_tui.palette import palette
from zypher_tui.themes import NONE
from zypher_tui.widgets.drawing import Part

AXIS = 8
"""Cells of the axis: the longest time, and a space."""
TICK = 16
"""Columns from one time on the axis to the next."""
NICE_PEAKS = tuple(step * 10**power for power in range(7) for step in (1, 2, 5))


def cell_lines(grid: Grid, lines: int, top: int, cursor: tuple[int, int] | None) -> list[list[Part]]:
    """The cells, the slowest first; ``top`` is the count of the brightest, ``cursor`` a column and a band."""
    halves = [half // grid.halves for half in range(2 * lines)]
    labels = axis_labels(grid, lines, None if cursor is None else cursor[1])
    drawn: list[list[Part]] = []
    for y in range(lines):
        low = 2 * (lines - 1 - y)
        is_here = cursor is not None and cursor[1] in (halves[low], halves[low + 1])
        parts: list[Part] = [labels[y]]
        for column, counts in enumerate(grid.counts):
            pair = [_level(counts[band] if band < len(counts) else 0, top) for band in halves[low : low + 2]]
            if is_here and cursor is not None and cursor[0] == column:
                pair = [-1 if halves[low + half] == cursor[1] else level for half, level in enumerate(pair)]
            parts.append(_block(pair[1], pair[0]))
        drawn.append(_merged(parts))
    return drawn


def axis_labels(grid: Grid, lines: int, chosen: int | None) -> list[Part]:
    """For each line the longest time of a band that begins there: of every third line, and of the chosen band.

    A band is named once, however many lines it is high.
    """
    bands = [(2 * line + 1) // grid.halves for line in range(lines)]  # the upper one of each line, from below
    at = None if chosen is None else next((line for line in range(lines) if bands[line] >= chosen), None)
    labels: list[Part] = []
    for line, band in enumerate(bands):
        is_first = line < 3 or bands[line - 3] != band
        if line == at and chosen is not None:
            labels.append((_bound(grid, chosen), palette.STRONG))
        elif line % 3 == 0 and is_first and band != chosen and band < len(grid.bands):
            labels.append((_bound(grid, band), palette.DIM))
        else:
            labels.append((" " * AXIS, palette.DIM))
    return labels[::-1]


def scale(top: int) -> list[Part]:
    """What the colours mean."""
    words = " many" if top <= 1 else f" many, {top:,} in a cell"
    return [("few ", palette.DIM), *(_block(level, level) for level in range(len(palette.HEAT))), (words, palette.DIM)]


def times(grid: Grid, cursor: tuple[int, int] | None) -> list[Part]:
    """Times under their columns, and a mark under the cursor's."""
    text = [" "] * len(grid.counts)
    for column in range(len(text)):
        at_ms = grid.first_ms + column * grid.step_ms
        if (at_ms // grid.step_ms) % TICK == 0:
            label = "╵" + formats.clock(at_of(at_ms))
            if column + len(label) <= len(text):
                text[column : column + len(label)] = label
    axis = "".join(text)
    if cursor is None:
        return [(" " * AXIS, palette.DIM), (axis, palette.DIM)]
    before, after = axis[: cursor[0]], axis[cursor[0] + 1 :]
    return [(" " * AXIS + before, palette.DIM), ("▲", palette.STRONG), (after, palette.DIM)]


def nice_peak(highest: int) -> int:
    """The least of 1, 2, 5, 10, 20, … that is not below: colours mean the same for a while."""
    return next((peak for peak in NICE_PEAKS if peak >= highest), highest)


def _level(count: int, top: int) -> int | None:
    """Which colour a count has, on a log scale; none has none."""
    if count == 0:
        return None
    share = math.log(count) / math.log(top) if top > 1 else 1.0
    return min(round(share * (len(palette.HEAT) - 1)), len(palette.HEAT) - 1)


def _block(upper: int | None, lower: int | None) -> Part:
    if upper is None and lower is None:
        return " ", palette.PLAIN
    if palette.theme is NONE:
        return _shade(max((level for level in (upper, lower) if level is not None), key=abs)), palette.PLAIN
    if upper == lower:
        return "█", _style(_colour(upper), None)
    if upper is None:
        return "▄", _style(_colour(lower), None)
    return "▀", _style(_colour(upper), None if lower is None else _colour(lower))


def _shade(level: int) -> str:
    """What says how many where no colour can."""
    return "┼" if level < 0 else "░▒▓█"[level * 4 // len(palette.HEAT)]


def _colour(level: int | None) -> str:
    assert level is not None
    return palette.POINTER if level < 0 else palette.HEAT[level]


@lru_cache(maxsize=256)
def _style(colour: str, background: str | None) -> Style:
    return Style(color=colour, bgcolor=background)


def _merged(parts: list[Part]) -> list[Part]:
    """Neighbours that look alike as one: fewer segments."""
    merged: list[Part] = []
    for text, style in parts:
        if merged and merged[-1][1] == style:
            merged[-1] = (merged[-1][0] + text, style)
        else:
            merged.append((text, style))
    return merged


def _bound(grid: Grid, band: int) -> str:
    high_ms = grid.bands[band].high_ms
    text = formats.duration_ms(high_ms) if high_ms is not None else f">{formats.duration_ms(grid.bands[band].low_ms)}"
    return f"{cells.cut(text, AXIS - 1):>{AXIS - 1}} "
