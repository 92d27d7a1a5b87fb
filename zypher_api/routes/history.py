"""``GET /history``: what the figures were, every ten seconds of the last hours."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp

from zypher_api.openapi import Answer, Content, Operation, Parameter
from zypher_api.operator_answers import HistoryFrames
from zypher_api.queries import instant, number, read_query
from zypher_api.responses import RawResponse
from zypher_api.routes.reading import read
from zypher_api.services import Services
from zypher_jobs.contracts.access import Scope
from zypher_jobs.contracts.history import HistoryFrame
from zypher_jobs.contracts.stats import Overview, QueueStats
from zypher_jobs.queue.history import MOST

DEFAULT_MOST = 360
WRONG_TIME = "since must be a time such as 2026-11-23T12:00:00Z."

_encode = msgspec.json.Encoder().encode
_AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
_FRAME = HistoryFrame(
    at=_AT,
    overview=Overview(
        taken_at=_AT,
        redis_ms=0.4,
        queue=QueueStats(name="all", depth=3, running=2, oldest_age_ms=120.0),
        counts=[],
        latencies=[],
        workers=[],
        latest=[],
    ),
)


def _time(name: str, description: str) -> Parameter:
    return Parameter(
        name=name,
        place="query",
        description=description,
        schema={"type": "string", "format": "date-time"},
        example="2026-11-23T12:00:00Z",
    )


_READ = Operation(
    method="get",
    path="/history",
    operation_id="read_history",
    scopes=(Scope.READ, Scope.OPERATE),
    tag="operators",
    summary="What the figures were",
    description="What `GET /stats` would have answered, without predictions, recorded every 10 s by whichever process "
    "lives. `ZYPHER_HISTORY_S` says how far it reaches back.",
    parameters=(
        _time("since", "From then on; default: an hour before `until`."),
        _time("until", "Until then; default: now."),
        Parameter(
            name="most",
            place="query",
            description="Frames at most, evenly apart.",
            schema={"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT_MOST},
            example=DEFAULT_MOST,
        ),
    ),
    answers={
        200: Answer(
            description="Oldest first.", content=Content(type=HistoryFrames, example=HistoryFrames(frames=[_FRAME]))
        )
    },
    problems=("malformed_request", "redis_unavailable"),
    problem_examples={"malformed_request": (WRONG_TIME, "since")},
)


def handlers(services: Services) -> list[HTTPRouteHandler]:
    """The handlers of this file."""

    @read("/history", _READ)
    async def read_history(request: Request[Any, Any, Any]) -> ASGIApp:
        query = read_query(request, ("since", "until", "most"))
        until = instant(query, "until") or datetime.now(UTC)
        since = instant(query, "since") or _hour_before(until)
        most = number(query, "most", default=DEFAULT_MOST, most=MOST)
        frames = await services.queue.inspect.history(since=since, until=until, most=most)
        return RawResponse(_encode(HistoryFrames(frames=frames)), headers=[(b"cache-control", b"no-store")])

    return [read_history]


def _hour_before(until: datetime) -> datetime:
    try:
        return until - timedelta(hours=1)
    except OverflowError:
        return until
