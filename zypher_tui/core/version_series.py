"""One version over time, out of its predictions: how many waited, and how long the middle one ran."""

from collections.abc import Sequence
from itertools import accumulate
from statistics import median

from zypher_tui.core.rows import Row

Values = list[float | None]


def waiting_over_time(rows: Sequence[Row], *, end_ms: int, step_ms: int, count: int) -> Values:
    """How many of these waited, at the end of each of ``count`` columns; nothing is known before the oldest of them."""
    if not rows:
        return [None] * count
    changes = [0] * (count + 1)
    for row in rows:
        waited_ms = row.begun_after_ms if row.begun_after_ms is not None else row.ended_after_ms
        changes[_column(row.created_ms, end_ms, step_ms, count)] += 1
        if waited_ms is not None:
            changes[_column(row.created_ms + waited_ms, end_ms, step_ms, count)] -= 1
    first = _column(rows[0].created_ms, end_ms, step_ms, count)
    return [None if column < first else float(level) for column, level in enumerate(accumulate(changes[:count]))]


def run_over_time(rows: Sequence[Row], *, end_ms: int, step_ms: int, count: int) -> Values:
    """The median run time, in ms, of those that ended in each column; ``None`` where none did."""
    times: list[list[float]] = [[] for _ in range(count)]
    first_ms = end_ms - count * step_ms
    for row in rows:
        at_ms = row.finished_ms
        if at_ms is not None and first_ms < at_ms <= end_ms and (run_ms := row.run_ms) is not None:
            times[(at_ms - first_ms - 1) // step_ms].append(run_ms)
    return [median(each) if each else None for each in times]


def _column(at_ms: int, end_ms: int, step_ms: int, count: int) -> int:
    """Which column holds that time; what is before them all counts for the first, what is behind for none."""
    column = count - 1 - (end_ms - at_ms) // step_ms
    return 0 if column < 0 else count if at_ms > end_ms else column
