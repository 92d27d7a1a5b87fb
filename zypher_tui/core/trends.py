"""What the server counted a while ago: rules compare it with now. Little memory, however long it is watched."""

from collections.abc import Iterator, Mapping

import msgspec

from zypher_jobs.contracts.prediction import Status
from zypher_jobs.contracts.stats import LatencyHistogram, Overview, WorkerStats
from zypher_tui.core.latencies import Tally

FINE_S, FINE_FOR_S = 5.0, 120.0
"""How far apart moments are kept, and for how long."""
COARSE_S, KEPT_S = 30.0, 1200.0
"""The same for those that are older."""
LOST_FOR_S = 300.0
"""How long a worker that is gone is remembered."""
GONE_AFTER_S = 3.0
"""A worker that was not in the figures for so long is gone: one reading without it may be a slow heartbeat."""


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """The counters at one time."""

    at_s: float
    ended: Mapping[str, tuple[int, int]]
    """Model → how many ever ended, and how many of these failed."""
    times: Mapping[tuple[str, str], Tally]
    """Model and ``wait`` or ``run`` → all that was ever counted."""
    depths: Mapping[str, int]
    """Queue → how many wait."""
    memory: Mapping[str, int]
    """Worker → its bytes."""
    dead_letters: int
    refused: int
    expired: int

    @property
    def all_ended(self) -> int:
        """Of all models."""
        return sum(ended for ended, _ in self.ended.values())


class Sighting(msgspec.Struct, frozen=True):
    """A worker as it was when it was last in the figures."""

    worker: WorkerStats
    at_s: float


class Trends:
    """Moments of the last 20 minutes, each 5 s at first and each 30 s when they are older, and workers that went."""

    def __init__(self) -> None:
        self.moments: list[Moment] = []
        """Oldest first; the last is now."""
        self._seen: dict[str, Sighting] = {}

    @property
    def now(self) -> Moment:
        """The newest; there must be one."""
        return self.moments[-1]

    def add(self, overview: Overview, *, at_s: float) -> None:
        """Take in a reading. Counters that went back began anew: what was before says nothing about them."""
        moment = moment_of(overview, at_s=at_s)
        if self.moments and (moment.all_ended < self.now.all_ended or moment.refused < self.now.refused):
            self.moments.clear()
        if len(self.moments) > 1 and at_s - self.moments[-2].at_s < FINE_S:
            self.moments[-1] = moment  # now moves on until it is worth keeping
        else:
            self.moments.append(moment)
        self._thin(at_s)
        self._look_at(overview, at_s)

    def back(self) -> Iterator[Moment]:
        """Moments before now, newest first."""
        return reversed(self.moments[:-1])

    def ago(self, seconds: float) -> Moment | None:
        """The newest that is at least so old."""
        return next((each for each in self.back() if self.now.at_s - each.at_s >= seconds), None)

    def within(self, seconds: float) -> Moment | None:
        """The oldest that is at most so old."""
        return next((each for each in self.moments[:-1] if self.now.at_s - each.at_s <= seconds), None)

    def gone(self) -> list[Sighting]:
        """Workers that were here lately and are here no more."""
        here = self.now.memory
        return [
            each for name, each in self._seen.items() if name not in here and self.now.at_s - each.at_s >= GONE_AFTER_S
        ]

    def _thin(self, now_s: float) -> None:
        kept: list[Moment] = []
        for moment in self.moments:
            age_s = now_s - moment.at_s
            if age_s > KEPT_S:
                continue
            if kept and age_s > FINE_FOR_S and moment.at_s - kept[-1].at_s < COARSE_S:
                continue
            kept.append(moment)
        self.moments = kept

    def _look_at(self, overview: Overview, at_s: float) -> None:
        for worker in overview.workers:
            self._seen[worker.worker_id] = Sighting(worker, at_s)
        for name in [name for name, each in self._seen.items() if at_s - each.at_s > LOST_FOR_S]:
            del self._seen[name]


def moment_of(overview: Overview, *, at_s: float) -> Moment:
    """What is kept of a reading."""
    queues = overview.queues or [overview.queue]
    return Moment(
        at_s=at_s,
        ended=_ended(overview),
        times=_times(overview.latencies),
        depths={each.name: each.depth for each in queues},
        memory={each.worker_id: each.rss_bytes for each in overview.workers},
        dead_letters=overview.dead_letters,
        refused=overview.refused_finishes,
        expired=sum(each.count for each in overview.counts if each.status is Status.EXPIRED),
    )


def _ended(overview: Overview) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for each in overview.counts:
        if each.status.is_terminal:
            ended, failed = found.get(each.model, (0, 0))
            found[each.model] = ended + each.count, failed + (each.count if each.status is Status.FAILED else 0)
    return found


def _times(histograms: list[LatencyHistogram]) -> dict[tuple[str, str], Tally]:
    found: dict[tuple[str, str], list[LatencyHistogram]] = {}
    for each in histograms:
        # a synchronous prediction does not wait in the queue: it would only hide how long the others do
        if each.kind == "run" or (each.kind == "wait" and each.mode == "async"):
            found.setdefault((each.model, each.kind), []).append(each)
    return {key: Tally.of(each) for key, each in found.items()}
