"""``GET /predict/{id}/events``: a prediction of the queue as server-sent events, from its beginning or behind one."""

from typing import Any

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.types import ASGIApp, Receive, Scope, Send

from zypher_api.answers import End, Gap, StatusChange
from zypher_api.auth import require_own
from zypher_api.event_stream import EventStream
from zypher_api.openapi import ANY_SCOPE, EXAMPLE_ID, Answer, Content, Operation, Parameter
from zypher_api.problems import MalformedRequest
from zypher_api.routes.predictions import PREDICTION_ID, require_prediction_id
from zypher_api.routes.reading import read
from zypher_api.services import Services
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.errors import RedisUnavailable, UnknownPrediction
from zypher_jobs.queue.stories import BEGINNING, Entry, Seen, is_entry_id
from zypher_jobs.queue.watchers import Watch

REREAD_S = 600.0
"""The safety net under being woken: how often an open stream looks by itself. Below half of ``WATCHED_TTL_MS``."""
END = "end"
"""Id of the last event: who has seen it is told that nothing follows."""

_encode = msgspec.json.Encoder().encode

EXAMPLE = """\
event: status
data: {"status":"running","attempt":1}

event: progress
id: 1700000000000-1
data: {"progress":0.5,"message":"writing","at":"2023-11-14T22:13:20.250000Z"}

event: output
id: 1700000000000-2
data: "Hello"

event: end
id: end
data: {"prediction_id":"0f8fad5bd9cb469fa16570867728950e","status":"succeeded","output":"Hello"}

"""

_EVENTS = Operation(
    method="get",
    path="/predict/{prediction_id}/events",
    operation_id="follow_prediction",
    scopes=ANY_SCOPE,
    tag="predictions",
    summary="Follow a prediction",
    description="Server-sent events: `status` whenever it changes, `progress`, `log` and `output` as the model says "
    "them, `gap` where some are kept no more, and at last `end` with the output or the error. The stream begins with "
    "all that was said so far, or behind `Last-Event-ID`.",
    parameters=(
        PREDICTION_ID,
        Parameter(
            name="Last-Event-ID",
            place="header",
            description="The id of the last event that was read; an `EventSource` sends it by itself.",
            schema={"type": "string", "pattern": r"^([0-9]{1,19}-[0-9]{1,19}|end)?$"},
            example="1700000000000-1",
        ),
    ),
    answers={
        200: Answer(
            description="The events.", content=Content(type=str, example=EXAMPLE, media_type="text/event-stream")
        ),
        204: Answer(description="`Last-Event-ID` is that of the end: nothing follows."),
    },
    problems=("malformed_request", "unknown_prediction", "redis_unavailable"),
    problem_examples={
        "malformed_request": (
            "Last-Event-ID is no event's id; leave it out to read from the beginning.",
            "Last-Event-ID",
        ),
        "unknown_prediction": (UnknownPrediction(EXAMPLE_ID).message, None),
    },
)


def handlers(services: Services) -> list[HTTPRouteHandler]:
    """The handlers of this file."""

    @read("/predict/{prediction_id:str}/events", _EVENTS)
    async def follow_prediction(prediction_id: FromPath[str], request: Request[Any, Any, Any]) -> ASGIApp:
        require_prediction_id(prediction_id)
        request.scope["state"]["prediction_id"] = prediction_id
        await require_own(request.scope, services.queue, prediction_id)
        after = _after(request)
        if after == END:
            return _nothing_follows
        return _Follower(services, prediction_id, after)

    return [follow_prediction]


def _after(request: Request[Any, Any, Any]) -> str:
    text = request.headers.get("last-event-id", "")
    if text and text != END and not is_entry_id(text):
        raise MalformedRequest(
            "Last-Event-ID is no event's id; leave it out to read from the beginning.", field="Last-Event-ID"
        )
    return text or BEGINNING


async def _nothing_follows(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001  # ASGI
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


class _Follower:
    """One open stream; an ASGI application."""

    def __init__(self, services: Services, prediction_id: str, after: str) -> None:
        self._services = services
        self._prediction_id = prediction_id
        self._after = after
        self._before: Entry | None = None
        self._stands: tuple[Status, int] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve it until the prediction has ended, the caller is gone or the process drains."""
        events = EventStream(receive, send)
        watch = self._services.queue.watch_prediction(self._prediction_id, after=self._after, wake=events.wake)
        self._services.when_draining(events.wake)
        try:
            seen = await watch.read()  # what it raises is still a problem
            async with events:
                if scope["type"] == "http" and scope["method"] != "HEAD":
                    await self._follow(events, watch, seen)
        finally:
            self._services.forget_draining(events.wake)
            watch.close()

    async def _follow(self, events: EventStream, watch: Watch, seen: Seen | None) -> None:
        while not events.is_gone and not self._services.draining:
            try:
                seen = seen or await watch.read()
                self._write(events, seen)
                if seen.has_ended and not seen.has_more:
                    events.write("end", _encode(await self._end(watch)), event_id=END)
                    return
            except RedisUnavailable:
                seen = None  # woken when it is back
            except UnknownPrediction:
                return  # its retention has ended
            await events.flush()
            if seen is None or not seen.has_more:
                await events.wait(REREAD_S)
            seen = None

    def _write(self, events: EventStream, seen: Seen) -> None:
        for entry in seen.entries:
            if self._before is not None and self._before.began_at_ms != entry.began_at_ms:
                self._stands = None  # it was begun again, and said so between two reads
            self._stand(events, Status.RUNNING, entry.attempt)
            if missing := self._missing_before(entry):
                events.write("gap", _encode(Gap(missing=missing)))
            events.write(entry.kind, entry.data, event_id=entry.entry_id)
            self._before = entry
        if not seen.has_more and not seen.has_ended:
            self._stand(events, seen.status, seen.attempt)

    def _stand(self, events: EventStream, status: Status, attempt: int) -> None:
        if self._stands != (status, attempt):
            self._stands = (status, attempt)
            events.write("status", _encode(StatusChange(status=status, attempt=attempt)))

    def _missing_before(self, entry: Entry) -> int:
        """Entries that came before it in its attempt, and are kept no more."""
        before = self._before
        if before is not None and before.began_at_ms == entry.began_at_ms:
            return entry.number - before.number - 1
        began, _, number = self._after.partition("-")
        return entry.number - 1 - (int(number) if int(began) == entry.began_at_ms else 0)

    async def _end(self, watch: Watch) -> End:
        prediction = await watch.prediction()
        succeeded = prediction.status is Status.SUCCEEDED
        return End(
            prediction_id=prediction.prediction_id,
            status=prediction.status,
            output=prediction.output if succeeded else msgspec.UNSET,
            error=prediction.error or msgspec.UNSET,
        )
