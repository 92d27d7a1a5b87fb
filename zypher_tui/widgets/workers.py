"""The workers: who they are, how full they are, what they did."""

from rich.style import Style

from zypher_jobs.contracts.prediction import Status
from zypher_tui.core import cells, formats
from zypher_tui.core.view import View
from zypher_tui.core.worker_rows import Condition, WorkerRow, worker_rows
from zypher_tui.keymap import Help
from zypher_tui.palette import palette
from zypher_tui.widgets.columns import Column
from zypher_tui.widgets.drawing import Part, entitle
from zypher_tui.widgets.table import Table


class WorkerTable(Table[WorkerRow]):
    """One line for each worker that is alive, and if wanted for each that went lately."""

    ABOUT = Help(
        "Workers in a table",
        "One in each line: how many of its slots are taken, what it did.",
        (
            ("seen", "Age of its last heartbeat"),
            ("▲ late", "No heartbeat for 3 s; after 5 s others take over what it runs"),
            ("▽ draining", "It ends what it runs and takes no more"),
            ("✗ lost", "It fell silent; drained and stopped ones said goodbye"),
        ),
    )

    FOLLOWS_FIRST = True

    def __init__(self, *, id: str, with_departed: bool = False) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id, columns=COLUMNS, key=lambda row: row.worker.worker_id)
        self._with_departed = with_departed
        self.border_title = "Workers"

    def show_view(self, view: View) -> None:
        """Show the view's workers."""
        rows = worker_rows(view, with_departed=self._with_departed)
        gone = sum(row.departed is not None for row in rows)
        entitle(self, f"Workers · {len(rows) - gone}" if view.has_figures else "Workers")
        entitle(self, f"{gone} gone in the last 10 min" if gone else "", below=True)
        hint = "No worker is alive; predictions wait. Start one: zypher worker" if view.has_figures else "…"
        self.show(rows, empty=[[(hint, palette.WARNING if view.has_figures else palette.DIM)]])


def condition_part(condition: Condition) -> Part:
    """Glyph and word in their colour."""
    glyph, style = {
        Condition.READY: palette.STATUS[Status.SUCCEEDED],
        Condition.LATE: ("▲", palette.WARNING),
        Condition.DRAINING: ("▽", palette.WARNING),
        Condition.LOST: palette.STATUS[Status.FAILED],
        Condition.DRAINED: ("○", palette.DIM),
        Condition.STOPPED: ("○", palette.DIM),
        Condition.GONE: ("?", palette.DIM),
    }[condition]
    return f"{glyph} {condition.value}", style


def bar(filled: float, of: float, width: int) -> list[Part]:
    """A bar to half a cell; the least part is seen as one."""
    halves = round(min(filled / of, 1) * width * 2) if of else 0
    full, rest = divmod(max(halves, 1) if filled else 0, 2)
    drawn = "━" * full + "╸" * rest
    return [(drawn, palette.FILL), ("─" * (width - len(drawn)), palette.FRAME)]


def _slots(row: WorkerRow, width: int) -> list[Part]:
    worker = row.worker
    if row.departed is not None:
        text = f"{formats.age_s(row.gone_for_ms / 1000)} ago"
        if found := len(row.departed.prediction_ids):
            text += f", ran {found}"
        return [(cells.cut(text, width), palette.DIM)]
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
    style = palette.WARNING if row.condition is Condition.LATE else palette.DIM
    return [(formats.age_s((row.seen_ms + row.stale_ms) / 1000), style)]


def _plain(row: WorkerRow) -> Style:
    return palette.PLAIN if row.departed is None else palette.DIM


COLUMNS: list[Column[WorkerRow]] = [
    Column(
        title="worker", width=12, grow=1, most=28, order=lambda row: row.worker.worker_id,
        draw=lambda row, width: [(cells.cut_start(row.worker.worker_id, width), _plain(row))],
    ),
    Column(
        title="state", width=10, leave=2, order=lambda row: list(Condition).index(row.condition), descends=True,
        draw=lambda row, _: [condition_part(row.condition)],
    ),
    Column(
        title="host", width=8, grow=1, most=24, leave=4, order=lambda row: row.worker.host,
        draw=lambda row, width: [(cells.cut(row.worker.host, width), palette.DIM)],
    ),
    Column(
        title="pid", width=7, right=True, leave=5, order=lambda row: row.worker.pid,
        draw=lambda row, _: [(str(row.worker.pid), palette.DIM)],
    ),
    Column(
        title="slots", width=15, grow=3, most=96, draw=_slots, descends=True,
        order=lambda row: None if row.departed else row.worker.running / max(row.worker.slots, 1),
    ),
    Column(
        title="done", width=6, right=True, order=lambda row: row.worker.succeeded, descends=True,
        draw=lambda row, _: [(formats.count(row.worker.succeeded), _plain(row))],
    ),
    Column(
        title="failed", width=6, right=True, draw=_failed, order=lambda row: row.worker.failed, descends=True,
    ),
    Column(
        title="memory", width=6, right=True, leave=3, order=lambda row: row.worker.rss_bytes, descends=True,
        draw=lambda row, _: [(formats.size_bytes(row.worker.rss_bytes), palette.DIM)],
    ),
    Column(title="seen", width=6, right=True, leave=1, draw=_seen, order=lambda row: row.seen_ms, descends=True),
]  # fmt: skip
