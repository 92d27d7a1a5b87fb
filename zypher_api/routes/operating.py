"""Acting on single predictions: retry one now that waits, replay one that ended, drop it."""

from typing import Any

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler, delete, post
from litestar.params import FromPath
from litestar.types import ASGIApp

from zypher_api.auth import caller_of, require_own
from zypher_api.openapi import OPT
from zypher_api.operator_answers import Dropped, Replayed
from zypher_api.predicting import prediction_header
from zypher_api.responses import RawResponse
from zypher_api.routes import operating_docs as docs
from zypher_api.routes.predictions import require_prediction_id
from zypher_api.services import Services
from zypher_jobs.contracts.operation import Action
from zypher_jobs.errors import ZypherError
from zypher_jobs.queue.ids import new_prediction_id

_encode = msgspec.json.Encoder().encode


def handlers(services: Services) -> list[HTTPRouteHandler]:
    """The handlers of this file."""

    @post("/predictions/{prediction_id:str}/retry", status_code=200, opt={OPT: [docs.RETRY]})
    async def retry_prediction(prediction_id: FromPath[str], request: Request[Any, Any, Any]) -> ASGIApp:
        await _require_prediction(services, request, prediction_id)
        prediction = await services.queue.retry(prediction_id)
        await services.audit.note(request.scope, Action.RETRY, prediction_id)
        return RawResponse(_encode(prediction))

    @post("/predictions/{prediction_id:str}/replay", status_code=202, opt={OPT: [docs.REPLAY]})
    async def replay_prediction(prediction_id: FromPath[str], request: Request[Any, Any, Any]) -> ASGIApp:
        await _require_prediction(services, request, prediction_id)
        caller, new_id = caller_of(request.scope), new_prediction_id()
        async with services.limits.queueing(request.scope, caller, [new_id]):
            (new,) = await services.queue.bulk.replay([prediction_id], new_ids=[new_id])
            if isinstance(new, ZypherError):
                raise new
        await services.audit.note(request.scope, Action.REPLAY, prediction_id, detail=f"as {new_id}")
        location = f"/predict/{new_id}"
        return RawResponse(
            _encode(Replayed(prediction_id=new_id, replay_of=prediction_id, location=location)),
            status=202,
            headers=[(b"location", location.encode()), prediction_header(new_id)],
        )

    @delete("/predictions/{prediction_id:str}", status_code=200, opt={OPT: [docs.DROP]})
    async def drop_prediction(prediction_id: FromPath[str], request: Request[Any, Any, Any]) -> ASGIApp:
        await _require_prediction(services, request, prediction_id)
        (refusal,) = await services.queue.bulk.drop([prediction_id])
        if refusal is not None:
            raise refusal
        await services.audit.note(request.scope, Action.DROP, prediction_id)
        return RawResponse(_encode(Dropped(prediction_id=prediction_id)))

    return [retry_prediction, replay_prediction, drop_prediction]


async def _require_prediction(services: Services, request: Request[Any, Any, Any], prediction_id: str) -> None:
    """Raises ``MalformedRequest`` or ``UnknownPrediction`` for one that the caller may not act on."""
    require_prediction_id(prediction_id)
    request.scope["state"]["prediction_id"] = prediction_id
    await require_own(request.scope, services.queue, prediction_id, to_act=True)
