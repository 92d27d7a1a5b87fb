"""What the simulated system counts."""

from collections import Counter, deque
from collections.abc import Sequence

from zypher_jobs.contracts.prediction import Mode, Priority, Status
from zypher_jobs.contracts.stats import LatencyHistogram, PredictionCount, QueueStats
from zypher_tui.sources.demo.records import Run

BOUNDS_MS = [5.0, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000]
RATE_S = 20.0
"""What the rate of ends is taken over."""


class Counters:
    """Of all that ended since the start."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, Mode, Status], int] = {}
        self._latencies: dict[tuple[str, Mode, str], list[int]] = {}
        self._sums_ms: dict[tuple[str, Mode, str], float] = {}
        self._ended: deque[tuple[float, Priority]] = deque()

    def count(self, run: Run, now_s: float) -> None:
        """One more has ended."""
        key = (run.model, run.mode, run.status)
        self._counts[key] = self._counts.get(key, 0) + 1
        if run.mode is Mode.ASYNC:
            self._ended.append((now_s, run.priority))
        if run.started_s is None or run.finished_s is None:
            return
        wait_ms = max(run.started_s - run.created_s, 0.0004) * 1000
        run_ms = (run.finished_s - run.started_s) * 1000
        for kind, ms in (("wait", wait_ms), ("run", run_ms), ("total", wait_ms + run_ms)):
            of = (run.model, run.mode, kind)
            counts = self._latencies.setdefault(of, [0] * (len(BOUNDS_MS) + 1))
            counts[next((i for i, bound in enumerate(BOUNDS_MS) if ms <= bound), len(BOUNDS_MS))] += 1
            self._sums_ms[of] = self._sums_ms.get(of, 0) + ms

    def ended_per_s(self, now_s: float) -> dict[Priority, float]:
        """Queued ones, lately."""
        while self._ended and self._ended[0][0] < now_s - RATE_S:
            self._ended.popleft()
        counts = Counter(priority for _, priority in self._ended)
        return {priority: counts[priority] / RATE_S for priority in Priority}

    def counts(self) -> list[PredictionCount]:
        """As ``GET /stats`` has them."""
        return [
            PredictionCount(model=model, mode=mode, status=status, count=count)
            for (model, mode, status), count in self._counts.items()
        ]

    def latencies(self) -> list[LatencyHistogram]:
        """As ``GET /stats`` has them."""
        return [
            LatencyHistogram(
                model=of[0],
                mode=of[1],
                kind=of[2],
                bounds_ms=BOUNDS_MS,
                counts=counts[:],
                sum_ms=round(self._sums_ms[of], 3),
            )
            for of, counts in self._latencies.items()
        ]


def queue_stats(
    name: str,
    waiting: Sequence[Run],
    running: int,
    now_s: float,
    *,
    paused: bool = False,
    ended_per_s: float | None = None,
) -> QueueStats:
    """One queue, or all as one."""
    oldest_s = min((run.created_s for run in waiting), default=None)
    return QueueStats(
        name=name,
        depth=len(waiting),
        running=running,
        oldest_age_ms=None if oldest_s is None else round((now_s - oldest_s) * 1000, 1),
        paused=paused,
        ended_per_s=ended_per_s,
    )
