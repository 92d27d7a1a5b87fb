"""Workers that are in the figures no more: when they went, how, and what became of what they ran."""

from collections.abc import Collection, Iterable, Sequence
from enum import StrEnum
from itertools import islice

import msgspec

from zypher_jobs.contracts.event import Event
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.contracts.stats import Overview, WorkerStats
from zypher_tui.core.book import Book
from zypher_tui.core.rows import ms_of

SHOWN_MS = 600_000
"""How long one is remembered after it went."""
SILENT_MS = 2_500
"""One that went within so long of its last heartbeat said goodbye: they come each second."""
LOOKED_AT = 5_000
"""Rows that are looked at for what a worker ran."""
MOST = 200
"""Workers that are remembered, and predictions of each."""


class Ending(StrEnum):
    """How a worker went."""

    LOST = "lost"
    """Its heartbeats ended, and nobody heard why."""
    DRAINED = "drained"
    """It took no more, and went when all was done."""
    STOPPED = "stopped"
    """It said goodbye."""
    GONE = "gone"
    """It went while nobody looked."""


class Departed(msgspec.Struct, frozen=True, kw_only=True):
    """One that went. Times are Unix ms of the server."""

    worker: WorkerStats
    """Its last heartbeat."""
    gone_ms: int
    """When the figures were first without it."""
    ending: Ending
    prediction_ids: tuple[str, ...] = ()
    """What it ran then, and what others took over from it."""


class Departures:
    """Those of the last while; fold every overview in, and the events."""

    def __init__(self) -> None:
        self._alive: dict[str, WorkerStats] = {}
        self._read_ms = 0
        self._gone: dict[str, Departed] = {}
        self._lost: dict[str, dict[str, None]] = {}
        """Worker → predictions that others took over from it."""

    def fold(self, overview: Overview, book: Book) -> None:
        """Take in who is alive."""
        now_ms = ms_of(overview.taken_at)
        alive = {worker.worker_id: worker for worker in overview.workers}
        for worker in self._alive.values():
            if worker.worker_id not in alive:
                self._leave(worker, now_ms, book)
        for worker_id in alive.keys() & self._gone.keys():
            del self._gone[worker_id]  # it was only slow
        self._alive, self._read_ms = alive, now_ms

    def hear(self, events: Iterable[Event]) -> None:
        """Take in what happened: attempts that were lost."""
        for event in events:
            if event.status == "lost" and event.worker:
                self._take_over(event.worker, event.prediction_id)

    def fold_earlier(self, overviews: Iterable[Overview], book: Book) -> None:
        """Take in who was alive before the first that was folded, in order of time."""
        earlier = Departures()
        for overview in overviews:
            earlier.fold(overview, book)
        self._gone = {each: gone for each, gone in earlier._gone.items() if each not in self._alive} | self._gone

    @property
    def known(self) -> Collection[Departed]:
        """All that are remembered, in the order in which they went."""
        return self._gone.values()

    def until(self, now_ms: int) -> tuple[Departed, ...]:
        """Those that went in the last while before then, the latest first."""
        shown = [gone for gone in self._gone.values() if now_ms - SHOWN_MS < gone.gone_ms <= now_ms]
        return tuple(sorted(shown, key=lambda gone: (-gone.gone_ms, gone.worker.worker_id)))

    def _leave(self, worker: WorkerStats, now_ms: int, book: Book) -> None:
        taken_over = self._lost.pop(worker.worker_id, {})
        left = _running_on(worker.worker_id, book)
        silent_ms = self._read_ms - ms_of(worker.seen_at)
        if silent_ms > SILENT_MS or taken_over or (left and now_ms - self._read_ms > SILENT_MS):
            ending = Ending.LOST
        elif worker.draining:
            ending = Ending.DRAINED
        else:
            ending = Ending.GONE if now_ms - self._read_ms > SILENT_MS else Ending.STOPPED
        ids = tuple(dict.fromkeys([*taken_over, *(left if ending is Ending.LOST else ())]))[:MOST]
        self._gone[worker.worker_id] = Departed(worker=worker, gone_ms=now_ms, ending=ending, prediction_ids=ids)
        if len(self._gone) > MOST:
            del self._gone[next(iter(self._gone))]

    def _take_over(self, worker_id: str, prediction_id: str) -> None:
        gone = self._gone.get(worker_id)
        if gone is None:
            self._lost.setdefault(worker_id, {})[prediction_id] = None
            while len(self._lost) > MOST:
                del self._lost[next(iter(self._lost))]
        elif prediction_id not in gone.prediction_ids and len(gone.prediction_ids) < MOST:
            ids = (*gone.prediction_ids, prediction_id)
            self._gone[worker_id] = msgspec.structs.replace(gone, prediction_ids=ids, ending=Ending.LOST)


def _running_on(worker_id: str, book: Book) -> Sequence[str]:
    rows = islice(reversed(book.rows), LOOKED_AT)
    return [row.prediction_id for row in rows if row.worker == worker_id and row.status is Status.RUNNING]
