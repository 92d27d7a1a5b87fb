"""``GET /predictions``: what was asked lately, newest first, page by page."""

import difflib
import re
from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp

from zypher_api.answers import PredictionPage
from zypher_api.auth import caller_of
from zypher_api.openapi import ANY_SCOPE, EXAMPLE_ID, Answer, Content, Operation, Parameter
from zypher_api.problems import MalformedRequest
from zypher_api.responses import RawResponse
from zypher_api.routes.reading import read
from zypher_api.services import Services
from zypher_jobs.contracts.prediction import Mode, PredictionSummary, Status

MOST = 200
"""Of one page."""
READ_AT_ONCE = 200
READ_MOST = 2_000
"""Predictions that are read for one page, whatever the filter leaves of them: then the caller asks for the next one."""

WRONG_LIMIT = f"limit must be a number from 1 to {MOST}."
WRONG_BEFORE = "before must be the `next` of the page before."

_encode = msgspec.json.Encoder().encode
_CURSOR = re.compile(r"[0-9]{1,15}-[A-Za-z0-9_-]{1,64}", re.ASCII)
_FILTERS = ("status", "model", "before", "limit")

_LIST = Operation(
    method="get",
    path="/predictions",
    operation_id="list_predictions",
    scopes=ANY_SCOPE,
    tag="predictions",
    summary="List predictions",
    description=(
        "Newest first, synchronous ones too, as long as they are kept; with a key that neither reads nor operates, "
        "only its own. A page may hold fewer than `limit`, even none, while there are more: the last one has no `next`."
    ),
    parameters=(
        Parameter(
            name="status",
            place="query",
            description="Only those.",
            schema={"type": "string", "enum": [str(status) for status in Status]},
            example="failed",
        ),
        Parameter(
            name="model", place="query", description="Only its predictions.", schema={"type": "string"}, example="mock"
        ),
        Parameter(
            name="before",
            place="query",
            description="The page behind that one: its `next`.",
            schema={"type": "string", "pattern": f"^{_CURSOR.pattern}$"},
            example=f"1795435200000-{EXAMPLE_ID}",
        ),
        Parameter(
            name="limit",
            place="query",
            description="How many at most.",
            schema={"type": "integer", "minimum": 1, "maximum": MOST, "default": 50},
            example=50,
        ),
    ),
    answers={
        200: Answer(
            description="A page.",
            content=Content(
                type=PredictionPage,
                example=PredictionPage(
                    predictions=[
                        PredictionSummary(
                            prediction_id=EXAMPLE_ID,
                            status=Status.SUCCEEDED,
                            model="mock",
                            mode=Mode.ASYNC,
                            input_preview='{"input":"hello"}',
                            output_preview='{"input":"hello","result":"2cf24dba…"}',
                            attempts=1,
                            created_at=datetime(2026, 11, 23, 12, tzinfo=UTC),
                        )
                    ],
                    next=f"1795435200000-{EXAMPLE_ID}",
                ),
            ),
        )
    },
    problems=("malformed_request", "redis_unavailable"),
    problem_examples={"malformed_request": (WRONG_LIMIT, "limit")},
)


class _Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller asks for."""

    status: Status | None
    model: str | None
    before: str | None
    limit: int


def handlers(services: Services) -> list[HTTPRouteHandler]:
    """The handlers of this file."""

    @read("/predictions", _LIST)
    async def list_predictions(request: Request[Any, Any, Any]) -> ASGIApp:
        caller = caller_of(request.scope)
        page = await _page(services, _wanted(request), None if caller.sees_all else caller.key_id)
        return RawResponse(_encode(page), headers=[(b"cache-control", b"no-store")])

    return [list_predictions]


async def _page(services: Services, wanted: _Wanted, key_id: str | None) -> PredictionPage:
    """``key_id``: only what was asked with that key."""
    if wanted.model is None and key_id is None:
        found, following = await services.queue.inspect.list_predictions(
            wanted.status, before=wanted.before, limit=wanted.limit
        )
        return PredictionPage(predictions=found, next=following)
    kept = list[PredictionSummary]()
    before = wanted.before
    for _ in range(READ_MOST // READ_AT_ONCE):
        some, following = await services.queue.inspect.list_predictions(
            wanted.status, before=before, limit=READ_AT_ONCE
        )
        for at, one in enumerate(some):
            if wanted.model not in (None, one.model) or key_id not in (None, one.caller):
                continue
            kept.append(one)
            if len(kept) == wanted.limit:
                is_last = following is None and at == len(some) - 1
                return PredictionPage(predictions=kept, next=None if is_last else _place_of(one))
        if following is None:
            return PredictionPage(predictions=kept, next=None)
        before = following
    return PredictionPage(predictions=kept, next=before)


def _place_of(one: PredictionSummary) -> str:
    return f"{round(one.created_at.timestamp() * 1000)}-{one.prediction_id}"


def _wanted(request: Request[Any, Any, Any]) -> _Wanted:
    """Raises ``MalformedRequest`` for what is none, with the nearest that is."""
    given = request.query_params
    for name in given:
        if name not in _FILTERS:
            raise MalformedRequest(f"There is no filter {name!r}.{_hint(name, _FILTERS)}", field=name)
        if len(given.getall(name)) > 1:
            raise MalformedRequest(f"{name} may stand there once.", field=name)
    status, before, limit = given.get("status"), given.get("before"), given.get("limit", "50")
    statuses = [str(each) for each in Status]
    if status is not None and status not in statuses:
        raise MalformedRequest(f"There is no status {status!r}.{_hint(status, statuses)}", field="status")
    if before is not None and not _CURSOR.fullmatch(before):
        raise MalformedRequest(WRONG_BEFORE, field="before")
    if not (limit.isascii() and limit.isdigit() and len(limit) <= len(str(MOST)) and 1 <= int(limit) <= MOST):
        raise MalformedRequest(WRONG_LIMIT, field="limit")
    return _Wanted(
        status=None if status is None else Status(status),
        model=given.get("model"),
        before=before,
        limit=int(limit),
    )


def _hint(given: str, known: list[str] | tuple[str, ...]) -> str:
    near = difflib.get_close_matches(given, known, n=1)
    return f" Did you mean {near[0]!r}?" if near else f" Known: {', '.join(known)}."
