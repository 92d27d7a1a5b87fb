"""``zypher top``: the dashboard's facts as plain text or JSON, once or again and again, or checked, without a terminal.

Loads neither Textual nor httpx (0.3 s together): one look needs a blocking ``http.client`` only, and Redis is asked
itself only when the API brings no figures.
"""

import asyncio
import contextlib
import http.client
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlsplit

import msgspec

from zypher_jobs.contracts.prediction import Status
from zypher_jobs.contracts.stats import Health, Overview, WorkerStats
from zypher_tui.core import cells, checks, formats
from zypher_tui.core.latencies import Percentile
from zypher_tui.core.readings import Reading, SourceName
from zypher_tui.core.rows import Row, at_of
from zypher_tui.core.store import Store
from zypher_tui.core.view import Link, LinkView, View
from zypher_tui.sources import answers
from zypher_tui.sources.source import SourceAway, reason

LATEST = 50
"""Predictions in the JSON."""
SHOWN = 10
"""Predictions in the text."""
TIMEOUT_S = 3.0


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """How it stands with the API or Redis."""

    status: Link
    latency_ms: float | None = None
    reason: str | None = None


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What ``--json`` prints: one object in one line."""

    sources: dict[SourceName, Part]
    figures_from: SourceName | None
    """Which source the overview is from."""
    health: Health | None
    overview: Overview | None


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """Where the facts are read."""

    api_url: str
    redis_url: str | None
    api_key: str | None = None


def print_once(sources: Sources, *, as_json: bool) -> int:
    """Print the facts; returns 0, or 1 with a sentence on stderr when no source answers."""
    readings = _read(sources)
    if not _any_answers(readings):
        return 1
    view = _view(readings)
    sys.stdout.write(_json_of(readings, view) if as_json else "\n".join(text_of(view)) + "\n")
    return 0


def print_again(sources: Sources, *, every_s: float) -> int:
    """Print the facts as one JSON object a line, again and again, until interrupted; also while nothing answers."""
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        while True:
            began_s = time.monotonic()
            readings = _read(sources)
            sys.stdout.write(_json_of(readings, _view(readings)))
            sys.stdout.flush()
            time.sleep(max(0.0, began_s + every_s - time.monotonic()))
    return 0


def check_once(sources: Sources, conditions: str) -> int:
    """Print how each condition stands; 0 when all hold, 1 when one does not, 3 when no source answers.

    Raises ``checks.WrongCheck``.
    """
    parsed = checks.parse(conditions)
    readings = _read(sources)
    if not _any_answers(readings):
        return 3
    overview = next((reading.overview for reading in readings if reading.overview), None)
    outcomes = checks.check(parsed, _view(readings), overview)
    for outcome in outcomes:
        sys.stdout.write(f"{outcome}\n")
    return 0 if all(outcome.holds for outcome in outcomes) else 1


def _read(sources: Sources) -> list[Reading]:
    readings = [_ask_api(sources.api_url, sources.api_key)]
    if sources.redis_url and readings[0].overview is None:
        readings.append(asyncio.run(_ask_redis(sources.redis_url)))
    return readings


def _any_answers(readings: list[Reading]) -> bool:
    if all(reading.error is not None for reading in readings):
        causes = "; ".join(f"{reading.source.label}: {reading.error}" for reading in readings)
        sys.stderr.write(f"Nothing answers ({causes}). `zypher up` starts everything.\n")
        return False
    return True


def _view(readings: list[Reading]) -> View:
    store = Store(expected=[reading.source for reading in readings])
    for reading in readings:
        store.fold(reading)
    return store.view(readings[-1].at_s)


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
    workers = [_worker_cells(worker, view.taken_at) for worker in view.workers]
    latest = [_prediction_cells(row) for row in view.rows[:SHOWN]]
    return [
        *lines,
        " · ".join(now),
        "",
        *_table(_WORKER_COLUMNS, workers, empty="No worker is alive."),
        "",
        *_table(_COLUMNS, latest, empty="No predictions yet."),
    ]


def _ask_api(url: str, api_key: str | None) -> Reading:
    split = urlsplit(url)
    connection_type = http.client.HTTPSConnection if split.scheme == "https" else http.client.HTTPConnection
    connection = connection_type(split.hostname or "", split.port, timeout=TIMEOUT_S)
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    error = latency_ms = health = overview = overview_error = None
    try:
        started_s = time.perf_counter()
        status, _ = _get(connection, split.path + "/health/live", headers)
        latency_ms = (time.perf_counter() - started_s) * 1000
        if status != 200:
            raise SourceAway(f"it answers {status}; is it a Zypher API?")
        health = answers.health(*_get(connection, split.path + "/health", headers))
        try:
            overview = answers.overview(*_get(connection, f"{split.path}/stats?latest={LATEST}", headers))
        except SourceAway as refusal:
            overview_error = str(refusal)
    except SourceAway as refusal:
        error = str(refusal)
    except (OSError, http.client.HTTPException) as failure:
        error = reason(failure, timeout_s=TIMEOUT_S)
    finally:
        connection.close()
    return Reading(
        source=SourceName.API,
        at_s=time.monotonic(),
        error=error,
        latency_ms=latency_ms,
        health=health,
        overview=overview,
        overview_error=overview_error,
    )


def _get(connection: http.client.HTTPConnection, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


async def _ask_redis(url: str) -> Reading:
    from zypher_tui.sources.redis import RedisSource  # noqa: PLC0415  # 155 ms, and mostly not needed

    source = RedisSource(url)
    try:
        return await source.read(overview=True)
    finally:
        await source.aclose()


def _json_of(readings: list[Reading], view: View) -> str:
    sources = {
        link.source: Part(status=link.link, latency_ms=link.latency_ms, reason=link.reason) for link in view.links
    }
    snapshot = Snapshot(
        sources=sources,
        figures_from=view.figures_from,
        health=next((reading.health for reading in readings if reading.health), None),
        overview=next((reading.overview for reading in readings if reading.overview), None),
    )
    return msgspec.json.encode(snapshot).decode() + "\n"


def _link(link: LinkView) -> str:
    if link.link is Link.UP:
        return f"{link.source.label} up {formats.duration_ms(link.latency_ms)}"
    return f"{link.source.label} {link.link.value}"


def _time(percentile: Percentile | None) -> str:
    if percentile is None:
        return formats.UNKNOWN
    return (">" if percentile.beyond else "") + formats.duration_ms(percentile.ms)


_WORKER_COLUMNS = ("WORKER", "HOST", "PID", "SLOTS", "DONE", "FAILED", "MEMORY", "SEEN")
_COLUMNS = ("CREATED", "ID", "MODEL", "MODE", "STATUS", "WAIT", "RUN", "INPUT", "RESULT")


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
