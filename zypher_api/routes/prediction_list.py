"""``GET /predictions``: what was asked lately, newest first, page by page."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp

from zypher_api.answers import PredictionPage
from zypher_api.auth import caller_of
from zypher_api.openapi import ANY_SCOPE, EXAMPLE_ID, Answer, Content, Operation, Parameter
from zypher_api.queries import instant, limit_parameter, matching, one_of, read_limit, read_query
from zypher_api.responses import RawResponse
from zypher_api.routes.reading import read
from zypher_api.services import Services
from zypher_jobs.contracts.operation import FINGERPRINT, MOST_SEARCH_CHARS, PREDICTION_ID, Selection
from zypher_jobs.contracts.prediction import Mode, PredictionSummary, Priority, Status
from zypher_jobs.queue.selecting import select

MOST = 200
"""Of one page."""
READ_MOST = 2_000
"""Predictions that are read for one page, whatever the filter leaves of them: then the caller asks for the next one."""

CURSOR = r"[0-9]{1,15}-[A-Za-z0-9_-]{1,64}"
WRONG_LIMIT = f"limit must be a number from 1 to {MOST}."
WRONG_BEFORE = "before must be the `next` of the page before."
WRONG_FINGERPRINT = "fingerprint must be the 12 hexadecimal digits that stand at a failed prediction."
WRONG_SEARCH = f"search must be a text of 1 to {MOST_SEARCH_CHARS} characters."

WRONG_IDS = f"ids must be 1 to {MOST} ids, comma separated."
_ID = PREDICTION_ID.strip("^$")
_IDS = f"^{_ID}(,{_ID}){{0,{MOST - 1}}}$"

_encode = msgspec.json.Encoder().encode


def _filter(name: str, description: str, example: str, **schema: Any) -> Parameter:
    return Parameter(
        name=name, place="query", description=description, schema={"type": "string", **schema}, example=example
    )


_LIST = Operation(
    method="get",
    path="/predictions",
    operation_id="list_predictions",
    scopes=ANY_SCOPE,
    tag="predictions",
    summary="List predictions",
    description=(
        "Newest first, synchronous ones too, as long as they are kept; with a key that neither reads nor operates, "
        "only its own. With several filters, what fits all of them. A page is made of at most about 2,000 predictions, "
        "`searched` says how many: it may hold fewer than `limit`, even none, while more follow; the last has no next."
    ),
    parameters=(
        _filter(
            "status",
            "Only those. Synchronous ones are in the list of all.",
            "failed",
            enum=[str(status) for status in Status],
        ),
        _filter("model", "Only its predictions.", "mock"),
        _filter("priority", "Only those of this queue.", "high", enum=[str(priority) for priority in Priority]),
        _filter(
            "fingerprint",
            "Only those that failed in the same way: the `fingerprint` of one of them.",
            "9b1f04c5d2aa",
            pattern=FINGERPRINT,
        ),
        _filter("caller", "Only what was asked with the key of this id.", "3f9a1c0b7d2e"),
        _filter("created_after", "At that time or later, RFC 3339.", "2026-11-23T12:00:00Z", format="date-time"),
        _filter("created_before", "Before that time, RFC 3339.", "2026-11-24T12:00:00Z", format="date-time"),
        _filter(
            "search",
            "An id or its beginning, or what stands in the first 200 characters of the input, in whatever case.",
            "hello",
            minLength=1,
            maxLength=MOST_SEARCH_CHARS,
        ),
        _filter(
            "ids", "Only those of these ids that are kept, in this order: comma separated.", EXAMPLE_ID, pattern=_IDS
        ),
        _filter(
            "before",
            "The page behind that one: its `next`.",
            f"1795435200000-{EXAMPLE_ID}",
            pattern=f"^{CURSOR}$",
        ),
        limit_parameter(MOST),
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
                    searched=1,
                ),
            ),
        )
    },
    problems=("malformed_request", "redis_unavailable"),
    problem_examples={"malformed_request": (WRONG_LIMIT, "limit")},
)


_FILTERS = tuple(parameter.name for parameter in _LIST.parameters)


def handlers(services: Services) -> list[HTTPRouteHandler]:
    """The handlers of this file."""

    @read("/predictions", _LIST)
    async def list_predictions(request: Request[Any, Any, Any]) -> ASGIApp:
        caller = caller_of(request.scope)
        query = read_query(request, _FILTERS)
        selection = _selection(query)
        if not caller.sees_all:
            selection = msgspec.structs.replace(selection, caller=caller.key_id)
        status = selection.status or (selection.fingerprint and Status.FAILED)
        selected = await select(
            services.queue.inspect,
            selection,
            (Status(status),) if status else (),
            before=matching(CURSOR, query, "before", wrong=WRONG_BEFORE),
            limit=read_limit(query, most=MOST),
            most=READ_MOST,
        )
        page = PredictionPage(predictions=selected.found, next=selected.next, searched=selected.searched)
        return RawResponse(_encode(page), headers=[(b"cache-control", b"no-store")])

    return [list_predictions]


def _selection(query: dict[str, str]) -> Selection:
    """Raises ``MalformedRequest`` for what is no filter."""
    return Selection(
        status=one_of(Status, query, "status"),
        model=query.get("model"),
        priority=one_of(Priority, query, "priority"),
        fingerprint=matching(FINGERPRINT, query, "fingerprint", wrong=WRONG_FINGERPRINT),
        caller=query.get("caller"),
        created_after=instant(query, "created_after"),
        created_before=instant(query, "created_before"),
        ids=ids.split(",") if (ids := matching(_IDS, query, "ids", wrong=WRONG_IDS)) else None,
        search=matching(rf"(?s).{{1,{MOST_SEARCH_CHARS}}}", query, "search", wrong=WRONG_SEARCH),
    )
