"""Queue depth and throughput over time: samples as they came, and columns of equal length for a chart."""

from collections import deque
from collections.abc import Iterable, Sequence

import msgspec

from zypher_jobs.contracts.prediction import Status
from zypher_jobs.contracts.stats import Overview
from zypher_tui.core.latencies import Tally

KEPT_S = 3600.0
"""How far back samples reach."""
LONGEST_GAP_S = 3.5
"""Samples further apart than this have a hole between them; a chart shows it as one."""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one reading that are followed over time."""

    at_s: float
    depth: int
    running: int
    finished: int
    """Predictions that ever ended, by the server's counters."""
    failed: int
    per_s: float | None = None
    """Predictions that ended per second since the sample before; ``None``: it is the first, or counters began anew."""
    wait: Tally
    run: Tally


class History:
    """The samples of the last hour. Not more: a day of watching takes no more memory than an hour."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque()

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Oldest first."""
        return tuple(self._samples)

    def add(self, overview: Overview, *, at_s: float) -> None:
        """Fold one overview in; one that is not newer than the last is ignored."""
        last = self._samples[-1] if self._samples else None
        if last and at_s <= last.at_s:
            return
        finished = sum(count.count for count in overview.counts if count.status.is_terminal)
        per_s = None
        if last and finished >= last.finished:
            per_s = (finished - last.finished) / (at_s - last.at_s)
        self._samples.append(
            Sample(
                at_s=at_s,
                depth=overview.queue.depth,
                running=overview.queue.running,
                finished=finished,
                failed=sum(count.count for count in overview.counts if count.status is Status.FAILED),
                per_s=per_s,
                # a synchronous prediction does not wait in the queue: it would only hide how long the others do
                wait=Tally.of(h for h in overview.latencies if h.kind == "wait" and h.mode == "async"),
                run=Tally.of(h for h in overview.latencies if h.kind == "run"),
            )
        )
        while self._samples[0].at_s < at_s - KEPT_S:
            self._samples.popleft()

    def before(self, seconds: float) -> Sample | None:
        """What to compare the last sample with: the oldest at most ``seconds`` before it, at least the one before it.

        ``None`` when there is none since counters began anew.
        """
        if not self._samples:
            return None
        last = found = self._samples[-1]
        for sample in reversed(self._samples):
            too_old = sample.at_s < last.at_s - seconds - 0.5 and found is not last
            if too_old or sample.finished > found.finished:
                break
            found = sample
        return found if found is not last else None


def columns(
    points: Sequence[tuple[float, float | None]], *, end_s: float, step_s: float, count: int
) -> list[float | None]:
    """``count`` columns of ``step_s`` each, the last holding ``end_s``; ``None`` where nothing is known.

    Columns stand on whole multiples of ``step_s``, so that a chart moves on by whole columns and never shimmers. A
    column shows the highest of its points; between points less than ``LONGEST_GAP_S`` apart the earlier one holds.
    """
    last = int(end_s // step_s)
    first = last - count + 1
    shown: list[float | None] = [None] * count
    previous: tuple[int, float, float] | None = None  # column, time, value
    for at_s, value in _from(points, first * step_s - LONGEST_GAP_S):
        column = int(at_s // step_s) - first
        if value is None:
            previous = None
            continue
        if previous is not None and at_s - previous[1] <= LONGEST_GAP_S:
            for between in range(max(previous[0] + 1, 0), min(column, count)):
                shown[between] = previous[2]
        if 0 <= column < count:
            highest = shown[column]
            shown[column] = value if highest is None else max(highest, value)
        previous = (column, at_s, value)
    if previous is not None and end_s - previous[1] <= LONGEST_GAP_S:
        for after in range(max(previous[0] + 1, 0), count):
            shown[after] = previous[2]
    return shown


def _from(points: Sequence[tuple[float, float | None]], start_s: float) -> Iterable[tuple[float, float | None]]:
    index = len(points)
    while index and points[index - 1][0] >= start_s:
        index -= 1
    return points[index:]
