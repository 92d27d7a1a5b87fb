"""The workers: who they are, how full they are, what they did."""

from datetime import datetime

import msgspec

from zypher_jobs.contracts.stats import WorkerStats
from zypher_tui.core import cells, formats
from zypher_tui.core.view import View
from zypher_tui.palette import palette
from zypher_tui.widgets.drawing import Part, entitle
from zypher_tui.widgets.table import Column, Table

LATE_S = 3.0
"""A heartbeat older than this is marked; the lease is a few seconds."""


class WorkerRow(msgspec.Struct, frozen=True):
    """A worker, when the figures were taken, and how old they are if nothing newer comes."""

    worker: WorkerStats
    taken_at: datetime
    stale_s: float

    @property
    def seen_s(self) -> float:
        """Age of its heartbeat when the figures were taken."""
        return max((self.taken_at - self.worker.seen_at).total_seconds(), 0)


class WorkerTable(Table[WorkerRow]):
    """One line for each worker that is alive."""

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id, columns=COLUMNS, key=lambda row: row.worker.worker_id)
        self.border_title = "Workers"

    def show_view(self, view: View) -> None:
        """Show the view's workers."""
        stale_s = view.stale_s or 0
        rows = [WorkerRow(worker, view.taken_at, stale_s) for worker in view.workers] if view.taken_at else []
        entitle(self, f"Workers · {len(rows)}" if view.has_figures else "Workers")
        hint = "No worker is alive; predictions wait. Start one: zypher worker" if view.has_figures else "…"
        self.show(rows, empty=[[(hint, palette.WARNING if view.has_figures else palette.DIM)]])


def bar(filled: int, of: int, width: int) -> list[Part]:
    """A bar to half a cell; the least part is seen as one."""
    halves = round(min(filled / of, 1) * width * 2) if of else 0
    full, rest = divmod(max(halves, 1) if filled else 0, 2)
    drawn = "━" * full + "╸" * rest
    return [(drawn, palette.FILL), ("─" * (width - len(drawn)), palette.FRAME)]


def _slots(row: WorkerRow, width: int) -> list[Part]:
    worker = row.worker
    if worker.draining:
        return [(cells.cut(f"draining, {worker.running} left", width), palette.WARNING)]
    text = f"{worker.running:>{len(str(worker.slots))}}/{worker.slots}"
    room = width - len(text) - 1
    if room < 4:
        return [(cells.cut(text, width), palette.PLAIN)]
    return [*bar(worker.running, worker.slots, room), (" " + text, palette.PLAIN)]


def _failed(row: WorkerRow, _: int) -> list[Part]:
    return [(formats.count(row.worker.failed), palette.ERROR if row.worker.failed else palette.DIM)]


def _seen(row: WorkerRow, _: int) -> list[Part]:
    late = row.seen_s > LATE_S
    return [
        (("▲ " if late else "") + formats.age_s(row.seen_s + row.stale_s), palette.WARNING if late else palette.DIM)
    ]


COLUMNS: list[Column[WorkerRow]] = [
    Column(
        title="worker", width=13, grow=1, most=28,
        draw=lambda row, width: [(cells.cut_start(row.worker.worker_id, width), palette.PLAIN)],
    ),
    Column(
        title="host", width=8, grow=1, most=24, leave=2,
        draw=lambda row, width: [(cells.cut(row.worker.host, width), palette.DIM)],
    ),
    Column(title="pid", width=7, right=True, leave=3, draw=lambda row, _: [(str(row.worker.pid), palette.DIM)]),
    Column(title="slots", width=15, grow=3, most=48, draw=_slots),
    Column(
        title="done", width=6, right=True,
        draw=lambda row, _: [(formats.count(row.worker.succeeded), palette.PLAIN)],
    ),
    Column(title="failed", width=6, right=True, draw=_failed),
    Column(
        title="memory", width=6, right=True, leave=1,
        draw=lambda row, _: [(formats.size_bytes(row.worker.rss_bytes), palette.DIM)],
    ),
    Column(title="seen", width=7, right=True, draw=_seen),
]  # fmt: skip
