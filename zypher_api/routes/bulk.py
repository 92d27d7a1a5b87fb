"""``POST /predictions/cancel``, ``/retry``, ``/replay``, ``/drop``: the same to all that a filter means."""

from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler, post
from litestar.types import ASGIApp

from zypher_api.bodies import decoded, read_body
from zypher_api.bulk_acts import Act, BulkRun, Cancel, Drop, Replay, Retry
from zypher_api.negotiation import require_json
from zypher_api.openapi import OPT
from zypher_api.problems import MalformedRequest
from zypher_api.queries import read_query
from zypher_api.responses import RawResponse
from zypher_api.routes import bulk_docs as docs
from zypher_api.services import Services
from zypher_jobs.contracts.operation import BulkRequest

REQUEST_BYTES = 131_072

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(BulkRequest).decode


def handlers(services: Services) -> list[HTTPRouteHandler]:
    """The handlers of this file."""

    @post("/predictions/cancel", status_code=200, opt={OPT: [docs.CANCEL]})
    async def cancel_predictions(request: Request[Any, Any, Any]) -> ASGIApp:
        return await _run(services, request, lambda _: Cancel())

    @post("/predictions/retry", status_code=200, opt={OPT: [docs.RETRY]})
    async def retry_predictions(request: Request[Any, Any, Any]) -> ASGIApp:
        return await _run(services, request, lambda _: Retry())

    @post("/predictions/replay", status_code=200, opt={OPT: [docs.REPLAY]})
    async def replay_predictions(request: Request[Any, Any, Any]) -> ASGIApp:
        return await _run(services, request, Replay)

    @post("/predictions/drop", status_code=200, opt={OPT: [docs.DROP]})
    async def drop_predictions(request: Request[Any, Any, Any]) -> ASGIApp:
        return await _run(services, request, lambda _: Drop())

    return [cancel_predictions, retry_predictions, replay_predictions, drop_predictions]


async def _run(
    services: Services, request: Request[Any, Any, Any], act_of: Callable[[BulkRequest], Act]
) -> RawResponse:
    headers = dict(request.scope["headers"])
    is_dry = _is_dry(request)
    body = await read_body(headers, request.receive, max_bytes=REQUEST_BYTES)
    if body:
        require_json(headers.get(b"content-type"))
    asked = decoded(_decode, body or b"{}", malformed=docs.MALFORMED)
    if is_dry:
        asked = msgspec.structs.replace(asked, dry_run=True)
    act = act_of(asked)
    done = await BulkRun(services.queue, act, asked).run()
    if not asked.dry_run:
        detail = f"stopped: {done.stopped} It may have been {done.unknown} more." if done.stopped else ""
        await services.audit.note(
            request.scope, act.action, selection=asked.selection, count=done.touched, detail=detail
        )
    return RawResponse(_encode(done), headers=[(b"cache-control", b"no-store")])


def _is_dry(request: Request[Any, Any, Any]) -> bool:
    text = read_query(request, ("dry_run",)).get("dry_run", "false")
    if text not in ("true", "false"):
        raise MalformedRequest(docs.WRONG_DRY_RUN, field="dry_run")
    return text == "true"
