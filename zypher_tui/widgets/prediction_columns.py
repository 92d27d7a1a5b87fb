"""How each column of the list of predictions is drawn."""

from collections.abc import Callable, Iterable, Mapping

from zypher_jobs.contracts.prediction import Status
from zypher_tui.core import cells, formats
from zypher_tui.core.rows import Row, at_of
from zypher_tui.palette import palette
from zypher_tui.widgets.columns import Column
from zypher_tui.widgets.drawing import Part

Draw = Callable[[Row, int], list[Part]]


def columns_of(names: Iterable[str]) -> list[Column[Row]]:
    """The columns of those names, in that order."""
    return [BY_NAME[name] for name in names]


def _dim(said: Callable[[Row], str]) -> Draw:
    return lambda row, width: [(cells.cut(said(row), width), palette.DIM)]


def _plain(said: Callable[[Row], str]) -> Draw:
    return lambda row, width: [(cells.cut(said(row), width), palette.PLAIN)]


def _id(row: Row, width: int) -> list[Part]:
    return [(cells.cut(row.prediction_id[:width], width), palette.PLAIN)]


def _status(row: Row, width: int) -> list[Part]:
    glyph, style = palette.STATUS[row.status]
    return [(cells.cut(f"{glyph} {row.status.value}", width), style)]


def _worker(row: Row, width: int) -> list[Part]:
    return [(cells.cut_start(row.worker, width), palette.DIM)]


def _error(row: Row, width: int) -> list[Part]:
    return [(cells.cut(row.error_code, width), palette.ERROR)]


def _result(row: Row, width: int) -> list[Part]:
    if row.error_code:
        return [(cells.cut(row.error_message or row.error_code, width), palette.ERROR)]
    if row.status is Status.RUNNING and row.progress is not None:
        return [(cells.cut(formats.progress(row.progress, row.progress_message), width), palette.PLAIN)]
    if row.status is Status.RUNNING and row.worker:
        return [(cells.cut(f"on {row.worker}", width), palette.DIM)]
    if row.status is Status.QUEUED and row.attempts:
        return [(cells.cut("waits to retry", width), palette.DIM)]
    return [(cells.cut(row.output_preview, width), palette.PLAIN)]


def _progress(row: Row) -> str:
    return "" if row.progress is None else formats.share(row.progress)


def _clock(ms: int | None) -> str:
    return "" if ms is None else formats.clock(at_of(ms))


BY_NAME: Mapping[str, Column[Row]] = {
    column.title: column
    for column in (
        Column(title="created", width=8, leave=5, draw=_dim(lambda row: _clock(row.created_ms))),
        Column(title="id", width=6, grow=1, most=12, draw=_id),
        Column(title="model", width=8, grow=12, most=16, leave=1, draw=_plain(lambda row: row.model)),
        Column(title="version", width=7, grow=1, most=12, leave=13, draw=_plain(lambda row: row.version)),
        Column(title="mode", width=5, leave=7, draw=_dim(lambda row: row.mode.value)),
        Column(title="queue", width=6, leave=10, draw=_dim(lambda row: row.priority.value)),
        Column(title="caller", width=8, grow=1, most=16, leave=12, draw=_plain(lambda row: row.caller)),
        Column(title="status", width=11, draw=_status),
        Column(title="attempts", width=8, right=True, leave=11, draw=_plain(lambda row: str(row.attempts or ""))),
        Column(title="worker", width=8, grow=1, most=20, leave=8, draw=_worker),
        Column(title="started", width=8, leave=14, draw=_dim(lambda row: _clock(row.started_ms))),
        Column(title="finished", width=8, leave=15, draw=_dim(lambda row: _clock(row.finished_ms))),
        Column(title="wait", width=6, right=True, leave=6, draw=_dim(lambda row: formats.duration_ms(row.wait_ms))),
        Column(title="run", width=6, right=True, leave=3, draw=_plain(lambda row: formats.duration_ms(row.run_ms))),
        Column(title="total", width=6, right=True, leave=9, draw=_plain(lambda row: formats.duration_ms(row.total_ms))),
        Column(title="progress", width=8, right=True, leave=17, draw=_plain(_progress)),
        Column(title="error", width=12, grow=1, most=20, leave=16, draw=_error),
        Column(title="fingerprint", width=11, grow=1, most=16, leave=18, draw=_dim(lambda row: row.fingerprint)),
        Column(title="input", width=10, grow=4, leave=4, draw=_dim(lambda row: row.input_preview)),
        Column(title="result", width=14, grow=5, leave=2, draw=_result),
    )
}
"""Where room is short they leave in the order of ``leave``, the highest first; id and status always have room."""
