"""``POST /predict`` and ``POST /models/{name}/predict``: the answer now, or an id and the answer later.

These are Litestar's raw ASGI handlers: the bytes go from the socket into the model's input type and from its output
type back, and nothing else is made of them. Measured, that is 1.4 times the rate of the leanest ordinary handler.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
from litestar.exceptions import MethodNotAllowedException
from litestar.handlers import ASGIRouteHandler, asgi, post
from litestar.params import FromPath
from litestar.types import ASGIApp, ControllerRouterHandler, Receive, Scope, Send

from zypher_api.auth import OWN_AUTH
from zypher_api.bodies import read_body
from zypher_api.idempotency import HEADER as IDEMPOTENCY_KEY
from zypher_api.idempotency import predicted_once
from zypher_api.keyring import Caller
from zypher_api.negotiation import Reply, require_json, wanted_reply
from zypher_api.openapi import OPT, Operation
from zypher_api.predicting import answer_later, predict_later, predict_now, prediction_header
from zypher_api.presence import goes_on, while_wanted
from zypher_api.problems import MalformedRequest
from zypher_api.responses import RawResponse
from zypher_api.routes import predict_docs
from zypher_api.routes.predict_stream import stream_now
from zypher_api.services import Services
from zypher_api.tracing import trace_of
from zypher_api.webhook_headers import wanted_webhook
from zypher_jobs.contracts.access import Scope as KeyScope
from zypher_jobs.errors import ModelNotReady
from zypher_jobs.models import ServedModel
from zypher_jobs.queue.ids import new_prediction_id

_ALLOW = "OPTIONS, POST"
_PREDICT = frozenset({KeyScope.PREDICT})
_NO_KEY_FOR_EVENTS = (
    "Events cannot be sent again, so they have no Idempotency-Key: send it with Prefer: respond-async, and follow "
    "GET /predict/{prediction_id}/events; or leave out Accept: text/event-stream."
)
_encode = msgspec.json.Encoder().encode


def handlers(services: Services) -> list[ControllerRouterHandler]:
    """The handlers of this file."""
    default = services.default_model
    models = [services.registry.get(name) for name in services.registry.names()]

    @post("/models/{name:str}/predict", opt={OPT: [predict_docs.any_model(default)], OWN_AUTH: True})
    async def predict_named(name: FromPath[str]) -> ASGIApp:
        return _predicts_with(services, name)

    @post(
        "/models/{name:str}/versions/{version:str}/predict",
        opt={OPT: [predict_docs.any_version(default)], OWN_AUTH: True},
    )
    async def predict_version(name: FromPath[str], version: FromPath[str]) -> ASGIApp:
        return _predicts_with(services, name, version)

    return [
        _handler(services, default, "/predict", partial(predict_docs.default, default)),
        *(
            _handler(services, served, f"/models/{served.name}/predict", partial(predict_docs.named, served))
            for served in models
        ),
        predict_named,  # what has no path of its own: models that came later, and unknown names
        predict_version,
    ]


def _handler(
    services: Services, served: ServedModel, path: str, operation: Callable[[], Operation]
) -> ASGIRouteHandler:
    """What a model takes may change, so its documentation is made when it is asked for."""
    return asgi(path, copy_scope=False, opt={OPT: [operation], OWN_AUTH: True})(_predicts_with(services, served.name))


def _predicts_with(services: Services, name: str, version: str | None = None) -> ASGIApp:
    async def predict(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await _other_method(scope, send)
            return
        headers = dict(scope["headers"])
        caller = services.auth.admit(scope, headers, _PREDICT)
        if caller.is_limited:
            await services.limits.request(scope, caller, predicts=IDEMPOTENCY_KEY not in headers)
        served = await _served(services, name, version)
        await _predict(services, served, scope, receive, send, headers=headers, caller=caller)

    return predict


async def _served(services: Services, name: str, version: str | None) -> ServedModel:
    """The version that answers; one that is still coming is waited for a little, as after a start."""
    try:
        return services.registry.get(name, version)
    except ModelNotReady:
        await services.loaded()
    return services.registry.get(name, version)


async def _predict(
    services: Services,
    served: ServedModel,
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    headers: dict[bytes, bytes],
    caller: Caller,
) -> None:
    reply = wanted_reply(scope)
    if not reply.later:
        served.check_room(services.settings.shed_wait_s)
    require_json(headers.get(b"content-type"))
    body = await read_body(headers, receive, max_bytes=services.settings.max_body_bytes)
    input = served.decode(body)
    webhook = wanted_webhook(headers, services.webhook_policy, later=reply.later)
    stays = goes_on(headers, services.settings.on_disconnect)
    if reply.as_events:
        if IDEMPOTENCY_KEY in headers:
            raise MalformedRequest(_NO_KEY_FOR_EVENTS, field="Idempotency-Key")
        await services.limits.predictions(scope, caller, 1)
        await stream_now(services, served, scope, receive, send, input=input, body=body, caller=caller, stays=stays)
        return

    async def answered(reply: Reply, prediction_id: str, is_new: bool = True) -> RawResponse:
        if not reply.later:
            await services.limits.predictions(scope, caller, 1)
            return await _now(services, served, scope, input, body, caller, prediction_id, stays=stays)
        prediction = await predict_later(
            services,
            served,
            input,
            body=body,
            prediction_id=prediction_id,
            is_new=is_new,
            caller=caller,
            reply=reply,
            webhook=webhook,
            scope=scope,
        )
        return answer_later(served, prediction, reply, answer_of=_encode)

    if IDEMPOTENCY_KEY in headers:
        answer = await predicted_once(services, scope, body, caller=caller.key_id, reply=reply, run=answered)
    else:
        answer = await answered(reply, new_prediction_id())
    await answer(scope, receive, send)


async def _now(
    services: Services,
    served: ServedModel,
    scope: Scope,
    input: Any,
    body: bytes,
    caller: Caller,
    prediction_id: str,
    *,
    stays: bool,
) -> RawResponse:
    """Run it in this process; its record follows behind the answer. Unless it ``stays`` it ends with its caller."""
    scope["state"]["prediction_id"] = prediction_id
    with while_wanted(scope, stays=stays):
        output = await predict_now(
            services, served, input, body=body, prediction_id=prediction_id, caller=caller, trace=trace_of(scope)
        )
    headers = [prediction_header(prediction_id), served.header]
    if output.cache_use is not None:
        headers.append((b"model-cache", output.cache_use.encode()))
    return RawResponse(output.json, headers=headers)


async def _other_method(scope: Scope, send: Send) -> None:
    if scope["type"] != "http" or scope["method"] != "OPTIONS":
        raise MethodNotAllowedException(headers={"allow": _ALLOW})
    await send({"type": "http.response.start", "status": 204, "headers": [(b"allow", _ALLOW.encode())]})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
