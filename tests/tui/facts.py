"""Facts as sources bring them, small."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from zypher_jobs.contracts.deployment import ModelDetail, VersionDetail, VersionState
from zypher_jobs.contracts.prediction import Mode, Prediction, PredictionSummary, Status
from zypher_jobs.contracts.stats import (
    Health,
    LatencyHistogram,
    Overview,
    PartHealth,
    PredictionCount,
    QueueStats,
    WorkerStats,
)
from zypher_tui.core.readings import Reading, SourceName
from zypher_tui.core.rows import Row, ms_of

NOW = datetime(2026, 11, 3, 9, 0, 0, tzinfo=UTC)
NOW_MS = ms_of(NOW)


def histogram(kind: str, counts: list[int]) -> LatencyHistogram:
    """Counts up to 10, 100 and 1000 ms, and above."""
    return LatencyHistogram(
        model="mock", mode=Mode.ASYNC, kind=kind, bounds_ms=[10, 100, 1000], counts=counts, sum_ms=0
    )


def overview(
    *,
    depth: int = 0,
    counts: dict[Status, int] | None = None,
    latencies: list[LatencyHistogram] | None = None,
    latest: list[PredictionSummary] | None = None,
    workers: list[WorkerStats] | None = None,
) -> Overview:
    """A system at ``NOW``."""
    return Overview(
        taken_at=NOW,
        redis_ms=0.3,
        queue=QueueStats(name="default", depth=depth, running=0),
        counts=[
            PredictionCount(model="mock", mode=Mode.ASYNC, status=status, count=count)
            for status, count in (counts or {}).items()
        ],
        latencies=latencies or [],
        workers=workers or [],
        latest=latest or [],
    )


def health(*, redis_ok: bool = True) -> Health:
    """What the API says of itself."""
    return Health(
        status="ok" if redis_ok else "degraded",
        version="0.1.0",
        uptime_s=60,
        redis=PartHealth(ok=redis_ok, latency_ms=0.3, detail=None if redis_ok else "Redis cannot be reached."),
        workers=PartHealth(ok=True),
        workers_alive=0,
        models={},
    )


def reading(source: SourceName, at_s: float, **fields: Any) -> Reading:
    """An answer, or with ``error`` none."""
    return msgspec.structs.replace(Reading(source=source, at_s=at_s, latency_ms=1.0), **fields)


def summary(prediction_id: str, **fields: Any) -> PredictionSummary:
    """A queued prediction, or what the fields make of it."""
    queued = PredictionSummary(
        prediction_id=prediction_id, status=Status.QUEUED, model="mock", mode=Mode.ASYNC, created_at=NOW
    )
    return msgspec.structs.replace(queued, **fields)


def worker(worker_id: str, **fields: Any) -> WorkerStats:
    """An idle worker seen a second ago."""
    idle = WorkerStats(
        worker_id=worker_id,
        host="node-1",
        pid=7,
        version="0.1.0",
        models=["mock"],
        slots=10,
        running=0,
        succeeded=0,
        failed=0,
        rss_bytes=1_000_000,
        started_at=NOW,
        seen_at=NOW - timedelta(seconds=1),
    )
    return msgspec.structs.replace(idle, **fields)


def row(prediction_id: str, *, started_ms: int | None = None, finished_ms: int | None = None, **fields: Any) -> Row:
    """A queued prediction as a row, or what the fields make of it."""
    queued = Row(prediction_id=prediction_id, status=Status.QUEUED, model="mock", created_ms=NOW_MS)
    made = msgspec.structs.replace(queued, **fields)
    made.set_times(started_ms=started_ms, finished_ms=finished_ms)
    return made


def ended(prediction_id: str, finished_ms: int, *, wait_ms: int = 20, run_ms: int = 100, **fields: object) -> Row:
    """One that succeeded then."""
    return row(
        prediction_id,
        status=Status.SUCCEEDED,
        created_ms=finished_ms - run_ms - wait_ms,
        started_ms=finished_ms - run_ms,
        finished_ms=finished_ms,
        is_detailed=True,
        **fields,
    )


def whole(prediction_id: str, **fields: Any) -> Prediction:
    """A queued prediction with all that its screen shows, or what the fields make of it."""
    queued = Prediction(
        prediction_id=prediction_id, status=Status.QUEUED, model="mock", version="2", mode=Mode.ASYNC,
        created_at=NOW, input_bytes=17,
    )  # fmt: skip
    return msgspec.structs.replace(queued, **fields)


def version(name: str, share: float = 0, **states: str) -> VersionDetail:
    """A version and its state in each process."""
    processes = {process: msgspec.convert({"state": state}, VersionState) for process, state in states.items()}
    return VersionDetail(version=name, share=share, ready=True, processes=processes)


def model(*versions: VersionDetail, **fields: object) -> ModelDetail:
    """A model with these."""
    plain = ModelDetail(
        name="m", version="1", description="", ready=True, input_schema={}, output_schema={}, input_example=None,
        output_example=None, versions=list(versions), comparisons=[],
    )  # fmt: skip
    return msgspec.structs.replace(plain, **fields)
