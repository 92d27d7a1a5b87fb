"""Hooks by which a stock arq worker keeps the records that ``PredictionWorker``'s scripts keep."""

import time
from datetime import datetime
from typing import Any

import msgspec

from zypher_jobs.contracts.prediction import Mode, Status
from zypher_jobs.queue import keys
from zypher_jobs.queue.connection import redis_errors
from zypher_jobs.queue.latency import bucket_of
from zypher_jobs.queue.payloads import failure_of, preview_of
from zypher_jobs.queue.rows import Record, Recorded
from zypher_jobs.settings import Settings
from zypher_jobs.worker.predict import predict


class Outcome(msgspec.Struct, frozen=True):
    """How one run ended, on its way from the function to the hook."""

    model: str
    status: Status
    run_us: int
    fields: list[str | int]


async def predict_and_tell(ctx: dict[Any, Any], model: str, value: Any, **options: Any) -> Any:
    """``predict``; its outcome is left in ``ctx`` for ``record_end``. One that will be tried again leaves none."""
    started_s = time.perf_counter()

    def ended(status: Status, *fields: str | int) -> None:
        ctx["outcome"] = Outcome(model, status, round((time.perf_counter() - started_s) * 1_000_000), [*fields])

    try:
        output = await predict(ctx, model, value, **options)
    except RuntimeError:  # arq's Retry and RetryJob are such, and no verdict
        raise
    except Exception as error:
        failure = failure_of(error)
        ended(Status.FAILED, "error_code", failure.code, "error_message", failure.message)
        raise
    preview, size = preview_of(output)
    ended(Status.SUCCEEDED, "output_preview", preview, "output_bytes", size)
    return output


async def record_start(ctx: dict[Any, Any]) -> None:
    """``on_job_start``: the record says running."""
    record = keys.record(ctx["job_id"])
    with redis_errors():
        if await ctx["redis"].exists(record):
            ctx["started_at_ms"] = int(time.time() * 1000)
            running = {"status": Status.RUNNING, "attempts": ctx["job_try"], "started_at_ms": ctx["started_at_ms"]}
            await ctx["redis"].hset(record, mapping=running | {"worker": ctx["worker_id"]})


async def record_end(ctx: dict[Any, Any]) -> None:
    """``after_job_end``, when arq has written the result: the record says how it ended."""
    outcome: Outcome | None = ctx.get("outcome")
    started_at_ms: int | None = ctx.get("started_at_ms")
    if outcome is None or started_at_ms is None:
        return
    enqueued_at: datetime = ctx["enqueue_time"]
    created_at_ms = int(enqueued_at.timestamp() * 1000)
    wait_ms = max(0, started_at_ms - created_at_ms)
    fields: list[str | int] = ["status", outcome.status, "run_us", outcome.run_us]
    fields += ["finished_at_ms", started_at_ms + outcome.run_us // 1000, *outcome.fields]
    recorded = Recorded(
        *(ctx["job_id"], outcome.model, Mode.ASYNC, outcome.status),
        *(bucket_of(wait_ms), wait_ms * 1000, bucket_of(outcome.run_us / 1000), outcome.run_us),
        bucket_of(wait_ms + outcome.run_us / 1000),
        *(created_at_ms, fields),
    )
    settings: Settings = ctx["settings"]
    with redis_errors():
        await ctx["scripts"].record([Record(recorded)], retention_ms=settings.retention_s * 1000)
