"""The spans of an attempt: how long its prediction waited, the attempt itself, and in it the run of its model."""

import time
from typing import Any

from zypher_jobs.contracts.prediction import Status
from zypher_jobs.contracts.trace import TraceContext
from zypher_jobs.queue.rows import Ended
from zypher_jobs.tracing import Span, Tracer


def begin_attempt(ctx: dict[Any, Any], tracer: Tracer, parent: TraceContext | None, model: str) -> TraceContext:
    """In which trace its model is to run; ``ctx["span"]`` is the attempt's."""
    facts = {"zypher.prediction_id": ctx["job_id"], "zypher.model": model, "zypher.attempt": ctx["job_try"]}
    now_ms = int(time.time() * 1000)
    if ctx["job_try"] == 1:
        enqueued_at_ms = min(now_ms, int(ctx["enqueue_time"].timestamp() * 1000))
        waited = tracer.span("queue wait", parent=parent, attributes=facts, began_at_ms=enqueued_at_ms)
        waited.end(ended_at_ms=now_ms)
    span: Span = tracer.span("attempt", kind="consumer", parent=parent, attributes=facts, began_at_ms=now_ms)
    ctx["span"] = span
    return span.trace


def end_attempt(ctx: dict[Any, Any], ended: Ended, *, accepted: bool) -> None:
    """Its end is in Redis, or was refused."""
    span: Span | None = ctx.get("span")
    if span is not None:
        status = str(ended.status) if accepted else "refused"
        failed = ended.error_code if ended.status != Status.CANCELED else ""
        span.end(error=failed, attributes={"zypher.status": status})
