"""The arq function behind every prediction."""

from collections.abc import Sequence
from typing import Any

from arq.worker import Retry

from zypher_jobs.contracts.trace import read_stored
from zypher_jobs.errors import ModelNotReady, PredictionFailed, UnknownVersion
from zypher_jobs.models import ModelRegistry, ServedModel
from zypher_jobs.models.call import NOBODY, Call
from zypher_jobs.models.versions import Versions
from zypher_jobs.queue.payloads import PREDICT
from zypher_jobs.settings import Settings
from zypher_jobs.tracing import Tracer
from zypher_jobs.worker.narrator import Narrator
from zypher_jobs.worker.spans import begin_attempt


def attempts_of(ctx: dict[Any, Any], function: str, args: Sequence[Any]) -> int:
    """How many attempts a prediction's model grants it; 0 for another function, or a model that there is not."""
    registry: ModelRegistry | None = ctx.get("registry")
    if registry is None or function != PREDICT or not args or args[0] not in registry.names():
        return 0
    try:
        return registry.get(args[0]).retries.max_attempts
    except ModelNotReady:  # no version of it is here yet
        return 0


async def predict(
    ctx: dict[Any, Any],
    model: str,
    value: Any,
    *,
    version: str | None = None,
    timeout_s: float | None = None,
    trace: str = "",
) -> Any:
    """Run one prediction; ``value`` is the input as MessagePack gave it, ``timeout_s`` its own time-out.

    ``trace`` is its caller's, as ``TraceContext.stored`` has it.

    ``version`` is the one that was chosen at the submit. Where there is none, or this worker does not serve that one,
    one that is live here answers. ``ctx["version"]`` says afterwards which it was, and
    ``ctx["load_ms"]`` how long it waited for its model to load, if it did.

    Raises what the model's run raises, or arq's ``Retry`` where the model's policy says that it is worth another try.
    """
    registry: ModelRegistry = ctx["registry"]
    settings: Settings = ctx["settings"]
    served = _version_of(registry.versions(model), version)
    ctx["version"] = served.version
    longest_s = settings.run_timeout_s if timeout_s is None else min(timeout_s, settings.run_timeout_s)
    input = served.convert(value)
    prediction_id, attempt = ctx["job_id"], ctx["job_try"]
    parent = read_stored(trace) if trace else None
    span = None
    tracer: Tracer | None = ctx.get("tracer")
    if tracer is not None:
        facts = {"zypher.prediction_id": prediction_id, "zypher.model": served.definition.reference}
        parent = begin_attempt(ctx, tracer, parent, served.name)
        span = tracer.span(f"run {served.name}", parent=parent, attributes=facts)
        parent = span.trace
    narrator: Narrator | None = ctx.get("narrator")
    listener = NOBODY
    if narrator is not None:
        listener = narrator.listen(prediction_id, attempt=attempt, began_at_ms=ctx["began_at_ms"])
        ctx["narration"] = listener  # the worker sees to it that all of it is written before the end is
    call = Call(
        input,
        timeout_s=longest_s,
        prediction_id=prediction_id,
        attempt=attempt,
        listener=listener,
        trace=parent,
    )
    try:
        return await served.run_call(call)
    except (PredictionFailed, ModelNotReady) as error:
        policy = served.retries
        if attempt < policy.max_attempts and policy.covers(error):
            raise Retry(defer=policy.delay_s(attempt)) from error
        raise
    finally:
        if call.load_ms:
            ctx["load_ms"] = call.load_ms
        if span is not None:
            span.end()


def _version_of(versions: Versions, version: str | None) -> ServedModel:
    try:
        return versions.choose() if version is None else versions.get(version)
    except (UnknownVersion, ModelNotReady):
        return versions.choose()
