"""The latest predictions, and what to type when there are none."""

import shlex

from zypher_jobs.contracts.prediction import PredictionSummary, Status
from zypher_tui.core import cells, formats
from zypher_tui.core.filters import EVERYTHING
from zypher_tui.core.previews import compact
from zypher_tui.core.view import View
from zypher_tui.palette import palette
from zypher_tui.widgets.drawing import Part
from zypher_tui.widgets.table import Column, Table


class PredictionTable(Table[PredictionSummary]):
    """Newest first."""

    def __init__(self, *, id: str, api_url: str) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id, columns=COLUMNS, key=lambda row: row.prediction_id)
        self.border_title = "Latest predictions"
        self.filter = EVERYTHING
        """Which of them are shown."""
        self._api_url = api_url

    def show_view(self, view: View) -> None:
        """Show the view's latest predictions, those that the filter keeps."""
        rows = view.latest
        if self.filter.tests and view.taken_at is not None:
            rows = tuple(row for row in rows if self.filter.keeps(row, view.taken_at))
            self.border_title = (
                f"Latest predictions · {len(rows)} of {len(view.latest)} · {cells.cut(self.filter.text, 40)}"
            )
        else:
            self.border_title = f"Latest predictions · {len(rows)}" if rows else "Latest predictions"
        self.show(rows, empty=self._hint(view))

    def _hint(self, view: View) -> list[list[Part]]:
        if not view.has_figures:
            text = "Waiting for figures…" if view.notice else "Connecting…"
            return [[(text, palette.DIM)]]
        if self.filter.tests and view.latest:
            return [[("None of the latest is kept by the filter; escape takes it away.", palette.PLAIN)]]
        lines = curl(self._api_url, "\\\n").split("\n")
        return [
            [("No predictions yet. Send one (press c to copy):", palette.PLAIN)],
            [("", palette.PLAIN)],
            *[[(text, palette.BRAND)] for text in lines],
        ]


def curl(api_url: str, separator: str = "") -> str:
    """The command that sends a prediction, in one line or, with a separator, in three."""
    parts = (
        f"curl {shlex.quote(api_url.rstrip('/') + '/predict')}",
        "-H 'Async-Mode: true' -H 'Content-Type: application/json'",
        """-d '{"input": "hello"}'""",
    )
    return f" {separator}  ".join(parts) if separator else " ".join(parts)


def _status(row: PredictionSummary, width: int) -> list[Part]:
    glyph, style = palette.STATUS[row.status]
    return [(cells.cut(f"{glyph} {row.status.value}", width), style)]


def _result(row: PredictionSummary, width: int) -> list[Part]:
    if row.error is not None:
        return [(cells.cut(row.error.message, width), palette.ERROR)]
    if row.status is Status.RUNNING and row.progress is not None:
        return [(cells.cut(formats.progress(row.progress, row.progress_message), width), palette.PLAIN)]
    if row.status is Status.RUNNING and row.worker:
        return [(cells.cut(f"on {row.worker}", width), palette.DIM)]
    return [(cells.cut(compact(row.output_preview, given=row.input_preview), width), palette.PLAIN)]


COLUMNS: list[Column[PredictionSummary]] = [
    Column(title="created", width=8, leave=1, draw=lambda row, _: [(formats.clock(row.created_at), palette.DIM)]),
    Column(
        title="id", width=6, grow=2, most=12,
        draw=lambda row, width: [(cells.cut(row.prediction_id[:width], width), palette.PLAIN)],
    ),
    Column(
        title="model", width=6, grow=2, most=16,
        draw=lambda row, width: [(cells.cut(row.model, width), palette.PLAIN)],
    ),
    Column(title="mode", width=5, leave=3, draw=lambda row, _: [(row.mode.value, palette.DIM)]),
    Column(title="status", width=11, draw=_status),
    Column(
        title="wait", width=6, right=True, leave=2,
        draw=lambda row, _: [(formats.duration_ms(row.wait_ms), palette.DIM)],
    ),
    Column(title="run", width=6, right=True, draw=lambda row, _: [(formats.duration_ms(row.run_ms), palette.PLAIN)]),
    Column(
        title="input", width=10, grow=4,
        draw=lambda row, width: [(cells.cut(compact(row.input_preview), width), palette.DIM)],
    ),
    Column(title="result", width=14, grow=5, draw=_result),
]  # fmt: skip
