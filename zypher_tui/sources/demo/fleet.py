"""The workers of the simulated system: one of them is killed in every cycle, another drains and starts anew."""

import hashlib
import math

import msgspec

from zypher_jobs.contracts.stats import WorkerStats
from zypher_tui.sources.demo.cast import MODELS
from zypher_tui.sources.demo.records import at

CYCLE_S = 240.0
DRAIN_SEAT, DRAINS_S = 2, 140.0
KILL_SEAT, KILLED_S = 3, 118.0
RESTART_S = 20.0
"""After it was killed; one that drained starts again at once."""
LEASE_S = 5.0
"""So long after its last sign a worker counts as lost, and others take over what it ran."""


class Worker(msgspec.Struct, kw_only=True):
    """One process from its start to its end."""

    worker_id: str
    seat: int
    pid: int
    started_s: float
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    draining: bool = False
    killed_s: float | None = None

    def stats(self, now_s: float, slots: int) -> WorkerStats:
        """Its last heartbeat."""
        seen_s = now_s - 0.2 * self.seat if self.killed_s is None else self.killed_s
        leak = 30_000 if self.seat == 1 else 2_000
        rss = 84e6 + self.seat * 3.1e6 + leak * (seen_s - self.started_s) + 1.5e6 * math.sin(seen_s / 9 + self.seat)
        return WorkerStats(
            worker_id=self.worker_id,
            host=f"node-{self.seat + 1}",
            pid=self.pid,
            version="0.1.0",
            models=[
                f"{model.name}@{version.name}"
                for model in MODELS.values()
                for version in model.versions
                if version.is_there(now_s)
            ],
            slots=slots,
            running=self.running,
            succeeded=self.succeeded,
            failed=self.failed,
            rss_bytes=int(rss),
            started_at=at(self.started_s),
            seen_at=at(seen_s),
            draining=self.draining,
        )


class Fleet:
    """The workers that there are; ``step`` lets their time pass."""

    def __init__(self, seats: int, slots: int) -> None:
        self.slots = slots
        self._born = 0
        self._seats: list[Worker | None] = [self._start(seat, 0.0) for seat in range(seats)]

    def step(self, now_s: float, *, busy: bool) -> tuple[list[Worker], list[Worker]]:
        """What is due; those that have just been lost, and those that drain from now on. None of it while idle."""
        lost: list[Worker] = []
        draining: list[Worker] = []
        phase_s = now_s % CYCLE_S
        for seat, worker in enumerate(self._seats):
            if worker is None:
                if phase_s >= KILLED_S + RESTART_S:
                    self._seats[seat] = self._start(seat, now_s)
            elif worker.killed_s is not None:
                if now_s >= worker.killed_s + LEASE_S:
                    lost.append(worker)
                    self._seats[seat] = None
            elif worker.draining:
                if not worker.running:
                    self._seats[seat] = self._start(seat, now_s)
            elif busy and seat == KILL_SEAT and KILLED_S <= phase_s < KILLED_S + RESTART_S:
                worker.killed_s = now_s
            elif busy and seat == DRAIN_SEAT and abs(phase_s - DRAINS_S) < 0.01:
                worker.draining = True
                draining.append(worker)
        return lost, draining

    def free(self) -> Worker | None:
        """The one with the most free slots."""
        able = [worker for worker in self.alive if worker.killed_s is None and not worker.draining]
        best = min(able, key=lambda worker: worker.running, default=None)
        return best if best is not None and best.running < self.slots else None

    def find(self, worker_id: str) -> Worker | None:
        """The one with that id, if it is there."""
        return next((worker for worker in self.alive if worker.worker_id == worker_id), None)

    @property
    def alive(self) -> list[Worker]:
        """Those that were heard of lately."""
        return [worker for worker in self._seats if worker is not None]

    def _start(self, seat: int, now_s: float) -> Worker:
        self._born += 1
        worker_id = hashlib.sha256(f"worker{self._born - 1}".encode()).hexdigest()[:12]
        return Worker(worker_id=worker_id, seat=seat, pid=4242 + self._born * 3, started_s=now_s)
