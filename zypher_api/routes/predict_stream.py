"""A synchronous prediction as server-sent events: what it says while it runs, its output in pieces, its end."""

import asyncio
import logging
import time
from typing import Any

import msgspec
from litestar.types import Receive, Scope, Send

from zypher_api.answers import End, Gap, Start
from zypher_api.event_stream import EventStream
from zypher_api.problems import INTERNAL
from zypher_api.recorder import Answered
from zypher_api.services import Services
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
    services: Services, served: ServedModel, scope: Scope, receive: Receive, send: Send, *, input: Any, body: bytes
) -> None:
    """Run it in this process and send its events; raises what refuses it before it begins.

    A caller who goes away cancels it.
    """
    prediction_id = new_prediction_id()
    scope["state"]["prediction_id"] = prediction_id
    events = EventStream(receive, send, headers=[(b"prediction-id", prediction_id.encode()), served.header])
    notes = Notes(asyncio.get_running_loop(), lambda _: events.wake())
    created_at_ms, started_s = int(time.time() * 1000), time.perf_counter()
    running: asyncio.Task[Any] = asyncio.create_task(
        served.run(input, timeout_s=services.settings.run_timeout_s, prediction_id=prediction_id, listener=notes)
    )
    running.add_done_callback(lambda _: events.wake())
    try:
        await asyncio.sleep(0)
        if running.done() and (refusal := running.exception()) and not isinstance(refusal, PredictionFailed):
            raise refusal
        async with events:
            start = Start(prediction_id=prediction_id, model=served.name, version=served.version)
            events.write("start", _encode(start))
            await _tell(events, notes, running)
            output, answer, failure = await _outcome(served, running)
            run_ms = (time.perf_counter() - started_s) * 1000
            events.write("end", _encode(_end(prediction_id, answer, failure)), event_id="end")
    finally:
        notes.close()
        running.cancel()
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
            run_ms=run_ms,
        )
    )
    if failure is not None:
        context = {"prediction_id": prediction_id, "model": served.definition.reference, "traceback": failure.traceback}
        log.warning("prediction failed: %s", failure.message, extra=context)


async def _tell(events: EventStream, notes: Notes, running: asyncio.Task[Any]) -> None:
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


async def _outcome(served: ServedModel, running: asyncio.Task[Any]) -> tuple[Any, bytes, PredictionFailed | None]:
    """Its output, that as JSON, or its failure; what runs still is canceled."""
    if not running.done():
        running.cancel()
        await asyncio.wait([running])
    if running.cancelled():
        return None, b"", PredictionCanceled("The prediction was canceled: its caller went away.")
    try:
        output = running.result()
        return output, served.encode(output), None
    except PredictionFailed as error:
        return None, b"", error
    except ZypherError as error:
        return None, b"", PredictionFailed(error.message, code=error.code)
    except Exception:
        log.exception("a prediction ended in an error of the server")
        return None, b"", PredictionFailed(INTERNAL, code="internal_error")


def _end(prediction_id: str, answer: bytes, failure: PredictionFailed | None) -> End:
    if failure is None:
        return End(prediction_id=prediction_id, status=Status.SUCCEEDED, output=msgspec.Raw(answer))
    status = Status.CANCELED if failure.code == PredictionCanceled.code else Status.FAILED
    return End(
        prediction_id=prediction_id,
        status=status,
        error=PredictionFailure(code=failure.code, message=failure.message),
    )
