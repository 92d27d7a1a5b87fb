"""A view as lines of plain text."""

from collections.abc import Sequence
from datetime import datetime

from zypher_jobs.contracts.prediction import Status
from zypher_jobs.contracts.stats import WorkerStats
from zypher_tui.core import cells, formats
from zypher_tui.core.latencies import Percentile
from zypher_tui.core.queue_rows import QueueRow, queue_rows
from zypher_tui.core.rows import Row, at_of
from zypher_tui.core.view import Link, LinkView, View

SHOWN = 10
"""Predictions in the text."""


def text_of(view: View) -> list[str]:
    """The view as lines of plain text."""
    figures = view.figures
    parts = [f"Zypher {view.version or ''}".rstrip(), *(_link(link) for link in view.links)]
    if view.uptime_s is not None:
        parts.append(f"running for {formats.age_s(view.uptime_s)}")
    lines = [" · ".join(parts)]
    if view.notice:
        lines.append(view.notice)
    if not view.has_figures:
        return lines
    slots = sum(worker.slots for worker in view.workers)
    now = (
        f"waiting {formats.count(figures.depth)}",
        f"running {formats.count(figures.running)}/{formats.count(slots)}",
        f"oldest waits {formats.duration_ms(figures.oldest_age_ms)}",
        f"failed {formats.share(figures.failed_share)}",
        f"wait p50 {_time(figures.wait_p50)}, p95 {_time(figures.wait_p95)}",
        f"run p50 {_time(figures.run_p50)}, p95 {_time(figures.run_p95)}",
    )
    queues = [_queue_cells(row) for row in queue_rows(view.overview)]
    workers = [_worker_cells(worker, view.taken_at) for worker in view.workers]
    latest = [_prediction_cells(row) for row in view.rows[:SHOWN]]
    return [
        *lines,
        " · ".join(now),
        "",
        *_table(_QUEUE_COLUMNS, queues, empty="No queue is known."),
        "",
        *_table(_WORKER_COLUMNS, workers, empty="No worker is alive."),
        "",
        *_table(_COLUMNS, latest, empty="No predictions yet."),
    ]


def _link(link: LinkView) -> str:
    if link.link is Link.UP:
        return f"{link.source.label} up {formats.duration_ms(link.latency_ms)}"
    return f"{link.source.label} {link.link.value}"


def _time(percentile: Percentile | None) -> str:
    if percentile is None:
        return formats.UNKNOWN
    return (">" if percentile.beyond else "") + formats.duration_ms(percentile.ms)


_QUEUE_COLUMNS = ("QUEUE", "WAITING", "RUNNING", "OLDEST", "PER S", "EMPTY IN")
_WORKER_COLUMNS = ("WORKER", "HOST", "PID", "SLOTS", "DONE", "FAILED", "MEMORY", "SEEN")
_COLUMNS = ("CREATED", "ID", "MODEL", "MODE", "STATUS", "WAIT", "RUN", "INPUT", "RESULT")


def _queue_cells(row: QueueRow) -> list[str]:
    queue, empty_s = row.queue, row.empty_s
    return [
        queue.name,
        formats.count(queue.depth),
        formats.count(queue.running),
        formats.duration_ms(queue.oldest_age_ms),
        formats.rate(row.drain.ended_per_s),
        "paused" if queue.paused else formats.duration_ms(None if empty_s is None else empty_s * 1000),
    ]


def _worker_cells(worker: WorkerStats, now: datetime | None) -> list[str]:
    return [
        worker.worker_id,
        worker.host,
        str(worker.pid),
        f"{worker.running}/{worker.slots}" + (" draining" if worker.draining else ""),
        formats.count(worker.succeeded),
        formats.count(worker.failed),
        formats.size_bytes(worker.rss_bytes),
        formats.age_s((now - worker.seen_at).total_seconds() if now else None),
    ]


def _prediction_cells(row: Row) -> list[str]:
    result = row.error_message if row.error_code else row.output_preview
    if row.status is Status.RUNNING and row.progress is not None:
        result = formats.progress(row.progress, row.progress_message)
    return [
        formats.clock(at_of(row.created_ms)),
        row.prediction_id,
        row.model,
        row.mode.value,
        row.status.value,
        formats.duration_ms(row.wait_ms),
        formats.duration_ms(row.run_ms),
        cells.cut(row.input_preview, 24),
        cells.cut(result, 40),
    ]


def _table(titles: Sequence[str], rows: list[list[str]], *, empty: str) -> list[str]:
    if not rows:
        return [empty]
    table = [list(titles), *rows]
    widths = [max(cells.width(row[index]) for row in table) for index in range(len(titles))]
    return ["  ".join(cells.fit(*pair) for pair in zip(row, widths, strict=True)).rstrip() for row in table]
