"""``GET /dead-letters``: what failed for good, by the kind of its error."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp

from zypher_api.auth import caller_of
from zypher_api.openapi import EXAMPLE_ID, Answer, Content, Operation, Parameter
from zypher_api.operator_answers import DeadLetters
from zypher_api.queries import limit_parameter, matching, read_limit, read_query
from zypher_api.responses import RawResponse
from zypher_api.routes.reading import read
from zypher_api.services import Services
from zypher_jobs.contracts.access import Scope
from zypher_jobs.contracts.operation import FINGERPRINT
from zypher_jobs.contracts.prediction import DeadLetter, DeadLetterGroup, PredictionFailure, Priority
from zypher_jobs.queue.inspect import GROUPED

MOST = 200
WRONG_FINGERPRINT = "fingerprint must be the 12 hexadecimal digits that stand at a group."

_encode = msgspec.json.Encoder().encode
_AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
_ERROR = PredictionFailure(code="model_error", message="ValueError: no digit in the drawing")
_EXAMPLE = DeadLetters(
    groups=[
        DeadLetterGroup(
            fingerprint="9b1f04c5d2aa",
            model="digits",
            error=_ERROR,
            count=1,
            first_at=_AT,
            last_at=_AT,
            newest_id=EXAMPLE_ID,
            last_good_id="1c8e2f70a1b24c5d8e9f00112233aabb",
            last_good_at=_AT,
        )
    ],
    letters=[
        DeadLetter(
            prediction_id=EXAMPLE_ID,
            model="digits",
            version="1",
            priority=Priority.NORMAL,
            error=_ERROR,
            traceback="Traceback (most recent call last): …",
            fingerprint="9b1f04c5d2aa",
            attempts=1,
            worker="worker-1",
            input_preview='{"drawing": []}',
            created_at=_AT,
            finished_at=_AT,
        )
    ],
)
_LIST = Operation(
    method="get",
    path="/dead-letters",
    operation_id="list_dead_letters",
    scopes=(Scope.READ, Scope.OPERATE),
    tag="operators",
    summary="What failed for good, by the kind of its error",
    description="The groups are of all; the letters are the newest that fit the filters. Tracebacks are shown to keys "
    "with `operate`. Replay or drop them with `POST /predictions/replay` and `/drop`.",
    parameters=(
        Parameter(name="model", place="query", description="Only its.", schema={"type": "string"}, example="digits"),
        Parameter(
            name="fingerprint",
            place="query",
            description="Only those that failed in this way.",
            schema={"type": "string", "pattern": FINGERPRINT},
            example="9b1f04c5d2aa",
        ),
        limit_parameter(MOST, "Letters at most."),
    ),
    answers={200: Answer(description="Both.", content=Content(type=DeadLetters, example=_EXAMPLE))},
    problems=("malformed_request", "redis_unavailable"),
    problem_examples={"malformed_request": (WRONG_FINGERPRINT, "fingerprint")},
)


def handlers(services: Services) -> list[HTTPRouteHandler]:
    """The handlers of this file."""
    inspect = services.queue.inspect

    @read("/dead-letters", _LIST)
    async def list_dead_letters(request: Request[Any, Any, Any]) -> ASGIApp:
        query = read_query(request, ("model", "fingerprint", "limit"))
        fingerprint = matching(FINGERPRINT, query, "fingerprint", wrong=WRONG_FINGERPRINT)
        limit = read_limit(query, most=MOST)
        model = query.get("model")
        found = await inspect.dead_letters(limit=limit if model is fingerprint is None else GROUPED)
        letters = [each for each in found if model in (None, each.model) and fingerprint in (None, each.fingerprint)][
            :limit
        ]
        if not caller_of(request.scope).may_operate:
            letters = [msgspec.structs.replace(each, traceback="") for each in letters]
        groups = await inspect.dead_letter_groups()
        body = _encode(DeadLetters(groups=groups, letters=letters))
        return RawResponse(body, headers=[(b"cache-control", b"no-store")])

    return [list_dead_letters]
