"""Predictions of one worker: what it runs and for how long, what failed on it; of a lost one, what became of them."""

from typing import ClassVar

from textual.binding import Binding, BindingType

from zypher_jobs.contracts.prediction import Status
from zypher_tui.core import cells, formats
from zypher_tui.core.deeds import Verb
from zypher_tui.core.rows import at_of
from zypher_tui.core.view import View
from zypher_tui.core.worker_rows import Condition, Work, WorkerRow
from zypher_tui.keymap import Help
from zypher_tui.palette import palette
from zypher_tui.screens.asked import Asked
from zypher_tui.widgets.columns import Column
from zypher_tui.widgets.drawing import Part, entitle
from zypher_tui.widgets.table import Table


class WorkTable(Table[Work]):
    """One line for each."""

    ABOUT = Help(
        "A worker's predictions",
        "What it runs, the longest first, and what failed on it lately; of a lost one, what became of its own.",
        (("try", "Which attempt it is"), ("what", "Progress, error, who took it over, or the input")),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "ask('cancel')", "Cancel"),
        Binding("r", "ask('replay')", "Replay"),
        Binding("D", "ask('drop')", "Drop"),
    ]

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's name
        self._now_ms = 0
        super().__init__(id=id, columns=self._columns(), key=lambda work: work.row.prediction_id)
        self.border_title = "What it runs"

    def show_work(self, shown: WorkerRow | None, view: View, work: list[Work]) -> None:
        """Show it, as of the view's time."""
        self._now_ms = view.now_ms
        running = sum(each.row.status is Status.RUNNING for each in work)
        failed = sum(each.row.status is Status.FAILED for each in work)
        title = f"Runs {running} · failed here lately {failed}"
        hint = "It runs nothing, and nothing failed on it lately."
        if shown is None:
            title, hint = "What it runs", "No worker is chosen."
        elif shown.condition is Condition.LOST:
            title, hint = f"What became of its predictions · {len(work)}", "It ran nothing when it was lost."
        entitle(self, title)
        version = (view.book.revision, view.now_ms // 1000, shown and shown.worker.worker_id, len(work))
        self.show(work, empty=[[(hint, palette.DIM)]], version=version)

    def action_ask(self, verb: str) -> None:
        """Have it done to the one under the cursor."""
        if self.selected is not None:
            self.post_message(Asked(Verb(verb), [self.selected.row.prediction_id]))

    def _columns(self) -> list[Column[Work]]:
        return [
            Column(title="status", width=11, draw=_status),
            Column(
                title="id", width=8, grow=1, most=12,
                draw=lambda work, width: [(work.row.prediction_id[:width], palette.PLAIN)],
            ),
            Column(
                title="model", width=10, grow=2, most=22,
                draw=lambda work, width: [(cells.cut(_model(work), width), palette.PLAIN)],
            ),
            Column(
                title="run", width=7, right=True, order=self._run_ms, descends=True,
                draw=lambda work, _: [(formats.duration_ms(self._run_ms(work)), palette.PLAIN)],
            ),
            Column(
                title="try", width=3, right=True, leave=2,
                draw=lambda work, _: [(str(work.row.attempts), palette.DIM)],
            ),
            Column(
                title="ended", width=8, leave=1, order=lambda work: work.row.finished_ms, descends=True,
                draw=lambda work, _: [(_ended(work), palette.DIM)],
            ),
            Column(title="what", width=16, grow=6, draw=_what),
        ]  # fmt: skip

    def _run_ms(self, work: Work) -> float | None:
        row = work.row
        if row.status is Status.RUNNING and row.started_ms is not None:
            return float(max(self._now_ms - row.started_ms, 0))
        return row.run_ms


def _status(work: Work, width: int) -> list[Part]:
    glyph, style = palette.STATUS[work.row.status]
    return [(cells.cut(f"{glyph} {work.row.status.value}", width), style)]


def _model(work: Work) -> str:
    return f"{work.row.model}@{work.row.version}" if work.row.version else work.row.model


def _ended(work: Work) -> str:
    return formats.UNKNOWN if work.row.finished_ms is None else formats.clock(at_of(work.row.finished_ms))


def _what(work: Work, width: int) -> list[Part]:
    row = work.row
    if row.error_code:
        return [(cells.cut(row.error_message or row.error_code, width), palette.ERROR)]
    if work.is_recovered and row.worker:
        return [(cells.cut(f"{'on' if row.status is Status.RUNNING else 'by'} {row.worker}", width), palette.PLAIN)]
    if row.progress is not None and row.status is Status.RUNNING:
        return [(cells.cut(formats.progress(row.progress, row.progress_message), width), palette.PLAIN)]
    return [(cells.cut(row.input_preview, width), palette.DIM)]
