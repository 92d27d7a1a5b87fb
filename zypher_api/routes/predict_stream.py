"""A synchronous prediction as server-sent events: what it says while it runs, its output in pieces, its end."""

import asyncio
import logging
from typing import Any

import msgspec
from litestar.types import Receive, Scope, Send

from zypher_api.answers import End, Gap, Start
from zypher_api.event_stream import EventStream
from zypher_api.keyring import Caller
from zypher_api.predicting import Output, predict_now, prediction_header
from zypher_api.problems import INTERNAL, SHUTTING_DOWN, NotReady
from zypher_api.services import LOAD_WAIT_S, Services
from zypher_api.tracing import trace_of
from zypher_jobs.contracts.prediction import PredictionFailure, Status
from zypher_jobs.errors import PredictionCanceled, PredictionFailed, ZypherError
from zypher_jobs.models import ServedModel
from zypher_jobs.models.notes import Notes
from zypher_jobs.queue.ids import new_prediction_id

log = logging.getLogger("zypher.api")

_AGAIN_S = 3600.0
"""Nothing is missed; a wait has an end all the same."""
_encode = msgspec.json.Encoder().encode


async def stream_now(
    services: Services,
    served: ServedModel,
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    input: Any,
    body: bytes,
    caller: Caller,
    stays: bool,
) -> None:
    """Run it in this process and send its events; raises what refuses it before it begins.

    A caller who goes away cancels it, unless it ``stays``.
    """
    prediction_id = new_prediction_id()
    scope["state"]["prediction_id"] = prediction_id
    events = EventStream(receive, send, headers=[prediction_header(prediction_id), served.header])
    notes = Notes(asyncio.get_running_loop(), lambda _: events.wake())
    running: asyncio.Task[Output] = asyncio.create_task(
        predict_now(
            services,
            served,
            input,
            body=body,
            prediction_id=prediction_id,
            caller=caller,
            listener=notes,
            trace=trace_of(scope),
        )
    )
    running.add_done_callback(lambda _: events.wake())
    try:
        await asyncio.wait([running], timeout=0 if served.ready else LOAD_WAIT_S)
        if running.done() and (refusal := running.exception()) and not isinstance(refusal, PredictionFailed):
            raise refusal
        async with events:
            start = Start(prediction_id=prediction_id, model=served.name, version=served.version)
            events.write("start", _encode(start))
            try:
                await _tell(events, notes, running)
            except asyncio.CancelledError:  # the process ends, and its grace period is over
                events.write("end", _encode(_cut_off(prediction_id)), event_id="end")
                return
            if running.done():
                events.write("end", _encode(_end(prediction_id, running)), event_id="end")
    finally:
        notes.close()
        if stays:
            services.let_end(running)
        else:
            running.cancel()


async def _tell(events: EventStream, notes: Notes, running: asyncio.Task[Output]) -> None:
    """All that it says, until it has ended or the caller has gone away."""
    number = 0
    while not events.is_gone:
        has_ended = running.done()  # looked at first: what it said before is taken below
        dropped, said = notes.take()
        if dropped:
            number += dropped
            events.write("gap", _encode(Gap(missing=dropped)))
        for note in said:
            number += 1
            events.write(note.kind, note.data, event_id=str(number))
        if has_ended:
            return
        await events.flush()
        await events.wait(_AGAIN_S)


def _cut_off(prediction_id: str) -> End:
    failure = PredictionFailure(code=NotReady.code, message=SHUTTING_DOWN)
    return End(prediction_id=prediction_id, status=Status.CANCELED, error=failure)


def _end(prediction_id: str, ended: asyncio.Task[Output]) -> End:
    try:
        return End(prediction_id=prediction_id, status=Status.SUCCEEDED, output=msgspec.Raw(ended.result().json))
    except PredictionCanceled as error:
        status, failure = Status.CANCELED, PredictionFailure(code=error.code, message=error.message)
    except ZypherError as error:
        status, failure = Status.FAILED, PredictionFailure(code=error.code, message=error.message)
    except Exception:
        log.exception("a prediction ended in an error of the server")
        status, failure = Status.FAILED, PredictionFailure(code="internal_error", message=INTERNAL)
    return End(prediction_id=prediction_id, status=status, error=failure)
