"""Queue depth and throughput over time: samples as they came, and columns of equal length for a chart."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

import msgspec

from zypher_jobs.contracts.prediction import Status
from zypher_jobs.contracts.stats import LatencyHistogram, Overview
from zypher_tui.core.latencies import Tally

FINE_S = 3600.0
"""How far back each sample is kept."""
COARSE_S = 10.0
"""Before that, they are so far apart."""
KEPT_S = 12 * 3600.0
"""How far back samples reach."""
TALLIED_S = 90.0
"""How far back they have the times of predictions, which take most of the room."""
LONGEST_GAP_S = 3.5
"""Samples further apart than this have a hole between them; a chart shows it as one."""


NONE = Tally()


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
    wait: Tally = NONE
    run: Tally = NONE


class History:
    """The samples of the last hours. Not more: a week of watching takes no more memory than a day."""

    def __init__(self, *, kept_s: float = KEPT_S, has_tallies: bool = True) -> None:
        """``has_tallies``: whether anybody asks for the times of predictions; they take most of the effort."""
        self._kept_s = kept_s
        self._has_tallies = has_tallies
        self._samples: list[Sample] = []
        self._coarse = 0
        """Samples, from the oldest on, that are ``COARSE_S`` apart."""
        self._untallied = 0

    def samples(self, until_s: float, *, last_s: float = KEPT_S) -> list[Sample]:
        """Those of ``last_s`` seconds until then; oldest first."""
        start, end = (bisect_right(self._samples, at_s, key=_at_s) for at_s in (until_s - last_s, until_s))
        return self._samples[start:end]

    @property
    def last(self) -> Sample | None:
        """The newest."""
        return self._samples[-1] if self._samples else None

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
                wait=self._tally(h for h in overview.latencies if h.kind == "wait" and h.mode == "async"),
                run=self._tally(h for h in overview.latencies if h.kind == "run"),
            )
        )
        self._thin(at_s)

    def _tally(self, histograms: Iterable[LatencyHistogram]) -> Tally:
        return Tally.of(histograms) if self._has_tallies else NONE

    def add_earlier(self, overviews: Iterable[tuple[float, Overview]]) -> None:
        """Put what a server recorded, ``(time, overview)`` in order, before the oldest sample."""
        earlier = History(kept_s=self._kept_s)
        for at_s, overview in overviews:
            if not self._samples or at_s < self._samples[0].at_s:
                earlier.add(overview, at_s=at_s)
        self._samples[:0] = earlier._samples
        self._coarse += len(earlier._samples)
        self._untallied += len(earlier._samples)

    def _thin(self, now_s: float) -> None:
        """Let go of what is too old, and of what is too close together or too large for its age."""
        samples = self._samples
        while samples[0].at_s < now_s - self._kept_s:
            del samples[0]
            self._coarse, self._untallied = max(self._coarse - 1, 0), max(self._untallied - 1, 0)
        while samples[self._untallied].at_s < now_s - TALLIED_S:
            index = self._untallied
            samples[index] = msgspec.structs.replace(samples[index], wait=NONE, run=NONE)
            self._untallied += 1
        while samples[self._coarse].at_s < now_s - FINE_S:
            index = self._coarse
            if index and samples[index].at_s < samples[index - 1].at_s + COARSE_S:
                del samples[index]
                self._untallied -= 1
            else:
                self._coarse += 1

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


def _at_s(sample: Sample) -> float:
    return sample.at_s
