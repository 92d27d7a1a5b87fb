"""``GET /events``: what happens to all predictions, as it happens, as server-sent events."""

import asyncio
import difflib
from contextlib import aclosing
from typing import Any

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

from zypher_api.event_stream import EventStream
from zypher_api.openapi import EXAMPLE_ID, Answer, Content, Operation, Parameter
from zypher_api.problems import MalformedRequest, NotReady
from zypher_api.routes.reading import read
from zypher_api.services import Services
from zypher_jobs.contracts.access import Scope as KeyScope
from zypher_jobs.contracts.event import Event
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.queue.events import follow, is_event_id

AHEAD = 1_000
"""Events that wait in memory for a caller who is slow to take them; then no more are read for it."""
MOST_STREAMS = 100
"""Open in one process: each holds a connection to Redis."""
LOST = "lost"
_AGAIN_S = 3600.0
_NAMED = ("status", "model")
_STATUSES = (*map(str, Status), LOST)

_encode = msgspec.json.Encoder().encode

EXAMPLE = f"""\
event: queued
id: 1795435200000-0.1
data: {{"at":"2026-11-23T12:00:00Z","prediction_id":"{EXAMPLE_ID}","model":"mock"}}

event: running
id: 1795435200002-0.1
data: {{"at":"2026-11-23T12:00:00.002Z","prediction_id":"{EXAMPLE_ID}","attempt":1,"worker":"worker-1"}}

"""
WRONG_ID = "Last-Event-ID is no event's id; leave it out to begin with what happens now."

_EVENTS = Operation(
    method="get",
    path="/events",
    operation_id="follow_events",
    scopes=(KeyScope.READ, KeyScope.OPERATE),
    tag="system",
    summary="Follow all that happens",
    description="Server-sent events without end: each is named for the status that a prediction has since, or `lost` "
    "for an attempt whose worker never reported back. The stream begins with what happens now, or behind "
    "`Last-Event-ID`, which is `0` for all that is kept (20,000 entries).",
    parameters=(
        Parameter(
            name="status",
            place="query",
            description="Only those.",
            schema={"title": "EventStatus", "type": "string", "enum": list(_STATUSES)},
            example="failed",
        ),
        Parameter(
            name="model",
            place="query",
            description="Only what is known to be of that model; `running` and `lost` name none.",
            schema={"type": "string"},
            example="mock",
        ),
        Parameter(
            name="Last-Event-ID",
            place="header",
            description="The id of the last event that was read; an `EventSource` sends it by itself.",
            schema={"type": "string", "pattern": r"^(0|[0-9]{1,20}-[0-9]{1,20}(\.[0-9]{1,6})?)?$"},
            example="1795435200000-0.1",
        ),
    ),
    answers={
        200: Answer(
            description="The events.", content=Content(type=str, example=EXAMPLE, media_type="text/event-stream")
        )
    },
    problems=("malformed_request", "not_ready", "redis_unavailable"),
    problem_examples={
        "malformed_request": (WRONG_ID, "Last-Event-ID"),
        "not_ready": (f"{MOST_STREAMS} streams of all events are open here; close one that is not needed.", None),
    },
)


class Happened(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The data of one event."""

    at: Any
    prediction_id: str
    model: str = ""
    attempt: int = 0
    worker: str = ""


def handlers(services: Services) -> list[HTTPRouteHandler]:
    """The handlers of this file."""
    streams: set[_Stream] = set()

    @read("/events", _EVENTS)
    async def follow_events(request: Request[Any, Any, Any]) -> ASGIApp:
        stream = _Stream(services, streams, request)
        if len(streams) >= MOST_STREAMS:
            raise NotReady(_EVENTS.problem_examples["not_ready"][0])
        await services.queue.inspect.ping()  # what keeps it from being begun is still a problem
        return stream

    return [follow_events]


class _Stream:
    """One open stream; an ASGI application."""

    def __init__(self, services: Services, streams: "set[_Stream]", request: Request[Any, Any, Any]) -> None:
        """Raises ``MalformedRequest``."""
        given = request.query_params
        for name in given:
            if name not in _NAMED or len(given.getall(name)) > 1:
                raise MalformedRequest(
                    f"{name} is no filter here, or stands there twice; known: status, model.", field=name
                )
        self._status: str | None = given.get("status")
        self._model: str | None = given.get("model")
        if self._status is not None and self._status not in _STATUSES:
            near = difflib.get_close_matches(self._status, _STATUSES, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(_STATUSES)}."
            raise MalformedRequest(f"There is no status {self._status!r}. {hint}", field="status")
        self._after: str = request.headers.get("last-event-id", "") or "$"
        if self._after != "$" and not is_event_id(self._after):
            raise MalformedRequest(WRONG_ID, field="Last-Event-ID")
        self._services = services
        self._streams = streams
        self._happened: asyncio.Queue[Event] = asyncio.Queue(AHEAD)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve it until the caller is gone or the process drains."""
        events = EventStream(receive, send)
        self._streams.add(self)
        self._services.when_draining(events.wake)
        following = asyncio.create_task(self._follow(events))
        try:
            async with events:
                if scope["type"] == "http" and scope["method"] != "HEAD":
                    await self._tell(events)
        finally:
            self._streams.discard(self)
            self._services.forget_draining(events.wake)
            while not following.done():  # redis-py 5 was seen to swallow a cancellation
                following.cancel()
                await asyncio.wait([following], timeout=0.1)

    async def _tell(self, events: EventStream) -> None:
        await events.flush()
        while not events.is_gone and not self._services.draining:
            while not self._happened.empty():
                each = self._happened.get_nowait()
                data = Happened(
                    at=each.at,
                    prediction_id=each.prediction_id,
                    model=each.model,
                    attempt=each.attempt,
                    worker=each.worker,
                )
                events.write(each.status, _encode(data), event_id=each.event_id)
            await events.flush()
            if self._happened.empty():
                await events.wait(_AGAIN_S)

    async def _follow(self, events: EventStream) -> None:
        async with aclosing(follow(self._services.queue, self._after)) as happening:
            async for each in happening:
                if self._status in (None, each.status) and self._model in (None, each.model):
                    await self._happened.put(each)
                    events.wake()
