"""``GET /audit``: which operations were done, by whom, newest first."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp

from zypher_api.openapi import Answer, Content, Operation, Parameter
from zypher_api.operator_answers import AuditPage
from zypher_api.queries import limit_parameter, matching, one_of, read_limit, read_query
from zypher_api.responses import RawResponse
from zypher_api.routes.reading import read
from zypher_api.services import Services
from zypher_jobs.contracts.access import Scope
from zypher_jobs.contracts.operation import Action, AuditEntry, Selection

MOST = 200
WRONG_BEFORE = "before must be the `next` of the page before."
_CURSOR = r"[1-9][0-9]{0,14}-[0-9]{1,15}"

_encode = msgspec.json.Encoder().encode
_ENTRY = AuditEntry(
    entry_id="1795435200000-0",
    at=datetime(2026, 11, 23, 12, tzinfo=UTC),
    action=Action.REPLAY_MANY,
    caller="ops",
    key_id="3f9a1c0b7d2e",
    filter=Selection(model="mock", fingerprint="9b1f04c5d2aa"),
    count=120,
    request_id="8c1f0d3a5b7e00000001",
)

_LIST = Operation(
    method="get",
    path="/audit",
    operation_id="list_operations",
    scopes=(Scope.READ, Scope.OPERATE),
    tag="operators",
    summary="Who did what, when, to how many",
    description="Each cancel, retry, replay, drop, pause, resume, deployment, and change of webhooks and keys; the "
    "newest 10,000. What a key does to its own predictions is not written down, unless it may operate. A page may hold "
    "fewer than `limit`, even none, while there are more: the last one has no `next`.",
    parameters=(
        Parameter(
            name="action",
            place="query",
            description="Only those.",
            schema={"type": "string", "enum": [str(action) for action in Action]},
            example="queue.pause",
        ),
        Parameter(
            name="caller",
            place="query",
            description="Only what the key of this name or id did.",
            schema={"type": "string"},
            example="ops",
        ),
        Parameter(
            name="before",
            place="query",
            description="The page behind that one: its `next`.",
            schema={"type": "string", "pattern": f"^{_CURSOR}$"},
            example="1795435200000-0",
        ),
        limit_parameter(MOST),
    ),
    answers={
        200: Answer(
            description="A page.",
            content=Content(type=AuditPage, example=AuditPage(entries=[_ENTRY], next=_ENTRY.entry_id)),
        )
    },
    problems=("malformed_request", "redis_unavailable"),
    problem_examples={"malformed_request": (WRONG_BEFORE, "before")},
)


def handlers(services: Services) -> list[HTTPRouteHandler]:
    """The handlers of this file."""

    @read("/audit", _LIST)
    async def list_operations(request: Request[Any, Any, Any]) -> ASGIApp:
        query = read_query(request, ("action", "caller", "before", "limit"))
        entries, following = await services.audit_log.page(
            action=one_of(Action, query, "action"),
            caller=query.get("caller"),
            before=matching(_CURSOR, query, "before", wrong=WRONG_BEFORE),
            limit=read_limit(query, most=MOST),
        )
        return RawResponse(
            _encode(AuditPage(entries=entries, next=following)), headers=[(b"cache-control", b"no-store")]
        )

    return [list_operations]
