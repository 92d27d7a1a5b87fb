"""The arq function behind every prediction, and the hooks by which a stock arq worker keeps the same records."""

import time
from datetime import datetime
from typing import Any

import msgspec

from zypher_jobs.contracts.prediction import PREVIEW_CHARS, Mode, Status
from zypher_jobs.models import ModelRegistry
from zypher_jobs.queue import keys
from zypher_jobs.queue.connection import redis_errors
from zypher_jobs.queue.latency import bucket_of
from zypher_jobs.queue.payloads import failure_of
from zypher_jobs.queue.scripts import Record, Recorded, Scripts
from zypher_jobs.settings import Settings


async def predict(ctx: dict[Any, Any], model: str, value: Any) -> Any:
    """Run one prediction; ``value`` is the input as MessagePack gave it. Raises what the model's run raises.

    Under ``PredictionWorker`` the scripts keep the record. Under a stock worker (no ``leased`` in ``ctx``) the outcome
    is left in ``ctx`` for ``record_end``.
    """
    registry: ModelRegistry = ctx["registry"]
    settings: Settings = ctx["settings"]
    if ctx.get("leased"):
        return await _run(registry, settings, model, value)
    started_s = time.perf_counter()
    outcome: dict[str, Any] = {"model": model, "status": Status.SUCCEEDED, "error": None, "output": None}
    try:
        outcome["output"] = await _run(registry, settings, model, value)
    except Exception as error:
        outcome |= {"status": Status.FAILED, "error": failure_of(error)}
        raise
    finally:
        ctx["outcome"] = outcome | {"run_us": round((time.perf_counter() - started_s) * 1_000_000)}
    return outcome["output"]


async def _run(registry: ModelRegistry, settings: Settings, name: str, value: Any) -> Any:
    model = registry.get(name)
    return await model.run(model.convert(value), timeout_s=settings.run_timeout_s)


async def record_start(ctx: dict[Any, Any]) -> None:
    """A stock worker's ``on_job_start``: the record says running."""
    record = keys.record(ctx["job_id"])
    with redis_errors():
        if await ctx["redis"].exists(record):
            ctx["started_at_ms"] = int(time.time() * 1000)
            running = {"status": Status.RUNNING, "attempts": ctx["job_try"], "started_at_ms": ctx["started_at_ms"]}
            await ctx["redis"].hset(record, mapping=running | {"worker": ctx["worker_id"]})


async def record_end(ctx: dict[Any, Any]) -> None:
    """A stock worker's ``after_job_end``, when arq has written the result: the record says how it ended."""
    outcome, started_at_ms = ctx.get("outcome"), ctx.get("started_at_ms")
    if outcome is None or started_at_ms is None:
        return
    enqueued_at: datetime = ctx["enqueue_time"]
    wait_ms = max(0, started_at_ms - int(enqueued_at.timestamp() * 1000))
    run_us, error = outcome["run_us"], outcome["error"]
    fields: list[str | int] = ["status", outcome["status"], "run_us", run_us]
    fields += ["finished_at_ms", started_at_ms + run_us // 1000]
    if error is None:
        fields += ["output_preview", msgspec.json.encode(outcome["output"]).decode()[:PREVIEW_CHARS]]
    else:
        fields += ["error_code", error.code, "error_message", error.message]
    recorded = Recorded(
        *(ctx["job_id"], outcome["model"], Mode.ASYNC, outcome["status"]),
        *(bucket_of(wait_ms), wait_ms * 1000, bucket_of(run_us / 1000), run_us),
        *(0, fields),
    )
    settings: Settings = ctx["settings"]
    with redis_errors():
        await Scripts(ctx["redis"]).record([Record(recorded)], retention_ms=settings.retention_s * 1000)
