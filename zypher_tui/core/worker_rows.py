"""Workers as lines of a table, those that went too; and what each of them runs, ran or failed at."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import islice

import msgspec

from zypher_jobs.contracts.prediction import Status
from zypher_jobs.contracts.stats import WorkerStats
from zypher_tui.core.departures import Departed, Ending
from zypher_tui.core.rows import Row, ms_of
from zypher_tui.core.view import View

LATE_MS = 3_000
"""A heartbeat older than this is marked; they come each second, and after five a worker counts as lost."""
LOOKED_AT = 5_000
"""Rows that are looked at for those of a worker."""
FAILURES = 50
"""Of a worker that are shown."""


class Condition(StrEnum):
    """How it stands with a worker."""

    READY = "ready"
    LATE = "late"
    DRAINING = "draining"
    LOST = "lost"
    DRAINED = "drained"
    STOPPED = "stopped"
    GONE = "gone"


class WorkerRow(msgspec.Struct, frozen=True, kw_only=True):
    """One worker at the time that is shown."""

    worker: WorkerStats
    """Its last heartbeat."""
    seen_ms: int
    """How old that was when the figures were taken."""
    stale_ms: int = 0
    """How old those are, if nothing newer comes."""
    departed: Departed | None = None
    gone_for_ms: int = 0
    """How long it has been gone."""

    @property
    def condition(self) -> Condition:
        """How it stands."""
        if self.departed is not None:
            return Condition(self.departed.ending.value)
        if self.seen_ms > LATE_MS:
            return Condition.LATE
        return Condition.DRAINING if self.worker.draining else Condition.READY


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """A prediction of a worker, as it is at the time that is shown."""

    row: Row
    is_recovered: bool = False
    """It was taken over from a worker that was lost."""


def worker_rows(view: View, *, with_departed: bool) -> list[WorkerRow]:
    """Those that are alive, by id; then those that went, the latest first."""
    if view.taken_at is None:
        return []
    taken_ms = ms_of(view.taken_at)
    rows = [
        WorkerRow(
            worker=worker,
            seen_ms=max(taken_ms - ms_of(worker.seen_at), 0),
            stale_ms=round(1000 * (view.stale_s or 0)),
        )
        for worker in view.workers
    ]
    if with_departed:
        alive = {worker.worker_id for worker in view.workers}
        rows += [
            WorkerRow(
                worker=gone.worker,
                seen_ms=max(view.now_ms - ms_of(gone.worker.seen_at), 0),
                departed=gone,
                gone_for_ms=view.now_ms - gone.gone_ms,
            )
            for gone in view.departed
            if gone.worker.worker_id not in alive
        ]
    return rows


def work_of(view: View, shown: WorkerRow) -> list[Work]:
    """What it runs, the longest first, then its failures, the latest first; of a lost one, what became of its own."""
    if shown.departed is not None and shown.departed.ending is Ending.LOST:
        ids = shown.departed.prediction_ids
        known = (view.book.get(prediction_id) for prediction_id in ids)
        return [Work(row=_as_of(row, view.as_of_ms), is_recovered=True) for row in known if row is not None]
    running = list[Row]()
    failed = list[Row]()
    for row in _newest(view):
        if row.worker != shown.worker.worker_id:
            continue
        if row.status is Status.RUNNING:
            running.append(row)
        elif row.status is Status.FAILED and len(failed) < FAILURES:
            failed.append(row)
    running.sort(key=lambda row: row.started_ms or 0)
    failed.sort(key=lambda row: -(row.finished_ms or 0))
    return [Work(row=row) for row in (*running, *failed)]


def became(work: Sequence[Work], worker_id: str) -> str:
    """What became of the predictions of a lost worker, in a few words."""
    if not work:
        return "it held nothing"
    counts: dict[str, int] = {}
    for each in work:
        fate = _fate(each.row, worker_id)
        counts[fate] = counts.get(fate, 0) + 1
    fates = ", ".join(f"{count} {fate}" for fate, count in sorted(counts.items()))
    return f"it held {len(work)}: {fates}"


def _fate(row: Row, worker_id: str) -> str:
    if row.status is Status.RUNNING and row.worker == worker_id:
        return "not yet recovered"
    return "running again" if row.status is Status.RUNNING else row.status.value


def _newest(view: View) -> Iterator[Row]:
    for row in islice(view.rows, LOOKED_AT):
        yield _as_of(row, view.as_of_ms)


def _as_of(row: Row, as_of_ms: int | None) -> Row:
    return row if as_of_ms is None else row.as_of(as_of_ms)
