"""What every route that predicts does: run a prediction in this process, or queue it and perhaps wait for it."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeVar

import msgspec
from litestar.types import Scope

from zypher_api.answers import accepted_of
from zypher_api.keyring import Caller
from zypher_api.limits import REFUSALS
from zypher_api.negotiation import Reply
from zypher_api.recorder import Answered, preview
from zypher_api.responses import Header, RawResponse
from zypher_api.services import Services
from zypher_api.tracing import trace_of
from zypher_jobs.contracts.prediction import Prediction, PredictionFailure, Status
from zypher_jobs.contracts.trace import TraceContext
from zypher_jobs.errors import ModelNotReady, PredictionCanceled, PredictionFailed, RedisUnavailable
from zypher_jobs.models import ServedModel
from zypher_jobs.models.call import NOBODY, Call, Listener

T = TypeVar("T")

log = logging.getLogger("zypher.api")

_encode = msgspec.json.Encoder().encode


class Output(NamedTuple):
    """What a model gave."""

    value: Any
    json: bytes
    cache_use: str | None
    """As the header ``Model-Cache`` says it."""


async def predict_now(
    services: Services,
    served: ServedModel,
    input: Any,
    *,
    body: bytes,
    prediction_id: str,
    caller: Caller,
    timeout_s: float | None = None,
    listener: Listener = NOBODY,
    trace: TraceContext | None = None,
) -> Output:
    """Run it in this process; its record follows behind the answer. ``body`` is the input as it came.

    It was counted (``KeyLimits.predictions``). Raises what ``ServedModel.run`` raises, and ``TooManyAtOnce``.
    ``timeout_s`` may shorten the time-out of the settings.
    """
    if not served.ready:
        await services.loaded()
    longest_s = services.settings.run_timeout_s
    created_at_ms = int(time.time() * 1000)
    started_s = time.perf_counter()
    output, answer, failure, canceled = None, b"", None, None
    span = None
    if services.tracer is not None:
        facts = {"zypher.prediction_id": prediction_id, "zypher.model": served.definition.reference}
        span = services.tracer.span(f"run {served.name}", parent=trace, attributes=facts)
        trace = span.trace
    call = Call(
        input,
        timeout_s=longest_s if timeout_s is None else min(timeout_s, longest_s),
        prediction_id=prediction_id,
        listener=listener,
        longest_wait_s=services.settings.shed_wait_s,
        trace=trace,
    )
    try:
        async with services.limits.running(caller, prediction_id):
            output = await served.run_call(call)
        answer = served.encode(output)
    except PredictionFailed as error:
        failure = error
    except REFUSALS:
        services.limits.uncount(caller, 1)
        raise
    except asyncio.CancelledError as error:
        canceled, failure = error, PredictionCanceled("The prediction was canceled: its caller went away.")
    finally:
        if span is not None:
            span.end(error="" if failure is None else failure.code)
    services.recorder.add(
        Answered(
            prediction_id=prediction_id,
            model=served.name,
            version=served.version,
            input=input,
            body=body,
            output=output,
            answer=answer,
            error=None if failure is None else PredictionFailure(code=failure.code, message=failure.message),
            created_at_ms=created_at_ms,
            run_ms=(time.perf_counter() - started_s) * 1000,
            load_ms=call.load_ms,
            caller=caller.key_id,
            trace=trace,
        )
    )
    if failure is not None:
        context = {"prediction_id": prediction_id, "model": served.definition.reference, "traceback": failure.traceback}
        log.warning("prediction failed: %s", failure.message, extra=context)
        raise canceled or failure
    return Output(output, answer, call.cache_use)


async def predict_later(
    services: Services,
    served: ServedModel,
    input: Any,
    *,
    body: bytes,
    prediction_id: str,
    is_new: bool,
    caller: Caller,
    reply: Reply,
    webhook: str,
    scope: Scope,
) -> Prediction:
    """Queue it; as it stands then, or with ``wait`` as soon as it has ended, if that is in time.

    One that is not new is found by its id, and counts no second time. Raises ``QueueFull``, ``RateLimited``,
    ``TooManyAtOnce``, ``RedisUnavailable``.
    """
    async with services.limits.queueing(scope, caller, [prediction_id] if is_new else []):
        prediction = await services.queue.submit(
            served.name,
            input,
            version=served.version,
            input_preview=preview(body),
            input_bytes=len(body),
            prediction_id=prediction_id,
            will_wait=bool(reply.wait_s),
            webhook=webhook,
            caller=caller.key_id,
            trace=trace_of(scope),
        )
    scope["state"]["prediction_id"] = prediction.prediction_id
    if reply.wait_s:
        wait_s, submitted = reply.wait_s, prediction
        prediction = await wait_for(
            services, lambda: services.queue.wait_for(submitted, wait_s), otherwise=submitted, scope=scope
        )
    return prediction


def answer_later(
    served: ServedModel, prediction: Prediction, reply: Reply, *, answer_of: Callable[[Any], bytes]
) -> RawResponse:
    """Of one that was queued: ``answer_of`` its output, or 202 if it has none yet; raises ``PredictionFailed``."""
    accepted = accepted_of(prediction)
    headers: list[Header] = [
        prediction_header(prediction.prediction_id),
        (b"location", accepted.location.encode()),
        served.header,
    ]
    if prediction.version not in ("", served.version):  # whoever ran it serves another one
        headers[-1] = (b"model-version", f"{served.name}@{prediction.version}".encode())
    if reply.applied:
        headers.append((b"preference-applied", reply.applied))
    if check_success(prediction):
        return RawResponse(answer_of(prediction.output), headers=headers)
    return RawResponse(_encode(accepted), status=202, headers=headers)


async def wait_for(services: Services, wait: Callable[[], Awaitable[T]], *, otherwise: T, scope: Scope) -> T:
    """What ``wait`` gives; ``otherwise`` when the process drains, or Redis fails: it is queued already."""
    try:
        return await services.hold(wait, scope) or otherwise
    except RedisUnavailable:
        return otherwise


def not_ready(served: ServedModel) -> ModelNotReady:
    """The error of a model that cannot predict."""
    return ModelNotReady(f"Model {served.name!r} is not ready: {(served.error or '').rstrip('.')}.")


def check_known(served: ServedModel) -> None:
    """Raises ``ModelNotReady`` while it is not known what a model takes: its server has not said it yet."""
    if not served.definition.is_known:
        raise not_ready(served)


def check_success(prediction: Prediction) -> bool:
    """Whether it has succeeded; raises ``PredictionFailed`` if it has ended otherwise."""
    if prediction.status.is_terminal and prediction.status is not Status.SUCCEEDED:
        failure = prediction.error or PredictionFailure(
            code="prediction_failed", message=f"The prediction was {prediction.status}."
        )
        raise PredictionFailed(failure.message, code=failure.code)
    return prediction.status is Status.SUCCEEDED


def prediction_header(prediction_id: str) -> Header:
    """By which id the prediction can be read."""
    return (b"prediction-id", prediction_id.encode())
