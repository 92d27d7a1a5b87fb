"""Webhooks: register, list, delete, their secrets; what was delivered, and once more."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler, delete, patch, post
from litestar.params import FromPath
from litestar.types import ASGIApp

from zypher_api.auth import caller_of, require_own
from zypher_api.bodies import decoded, read_body
from zypher_api.keyring import Caller
from zypher_api.negotiation import require_json
from zypher_api.openapi import OPT
from zypher_api.problems import Forbidden, MalformedRequest
from zypher_api.queries import USUAL_LIMIT
from zypher_api.responses import RawResponse
from zypher_api.routes import webhook_docs as docs
from zypher_api.routes.predictions import require_prediction_id
from zypher_api.routes.reading import read
from zypher_api.services import Services
from zypher_api.webhook_answers import DeliveryList, WebhookList
from zypher_jobs.contracts.access import Scope
from zypher_jobs.contracts.operation import Action
from zypher_jobs.contracts.webhook import DIRECT, NewWebhook, WebhookChange, WebhookRequest
from zypher_jobs.webhooks.addresses import require_url

REQUEST_BYTES = 65_536

_encode = msgspec.json.Encoder().encode
_NO_STORE = [(b"cache-control", b"no-store")]


def handlers(services: Services) -> list[HTTPRouteHandler]:
    """The handlers of this file."""
    return [*_registered(services), *_secrets(services), *_delivered(services)]


def _registered(services: Services) -> list[HTTPRouteHandler]:
    webhooks = services.webhooks

    @post("/webhooks", opt={OPT: [docs.REGISTER]})
    async def register_webhook(request: Request[Any, Any, Any]) -> ASGIApp:
        asked = decoded(_decode_request, await _body(request), malformed=docs.MALFORMED)
        require_url(asked.url, services.webhook_policy, field="$.url")
        webhook, secret = await webhooks.register(asked)
        await services.audit.note(
            request.scope, Action.REGISTER_WEBHOOK, webhook.webhook_id, detail=_host_of(asked.url)
        )
        created = NewWebhook(**msgspec.structs.asdict(webhook), secret=secret)
        location = (b"location", f"/webhooks/{webhook.webhook_id}".encode())
        return RawResponse(_encode(created), status=201, headers=[location, *_NO_STORE])

    @read("/webhooks", docs.LIST)
    async def list_webhooks() -> ASGIApp:
        return RawResponse(_encode(WebhookList(webhooks=await webhooks.all())))

    @read("/webhooks/{webhook_id:str}", docs.READ)
    async def read_webhook(webhook_id: FromPath[str]) -> ASGIApp:
        return RawResponse(_encode(await webhooks.get(webhook_id)))

    @patch("/webhooks/{webhook_id:str}", opt={OPT: [docs.CHANGE]})
    async def change_webhook(webhook_id: FromPath[str], request: Request[Any, Any, Any]) -> ASGIApp:
        change = decoded(_decode_change, await _body(request), malformed=docs.MALFORMED)
        if isinstance(change.url, str):
            require_url(change.url, services.webhook_policy, field="$.url")
        changed = await webhooks.change(webhook_id, change)
        await services.audit.note(request.scope, Action.CHANGE_WEBHOOK, webhook_id, detail=_host_of(changed.url))
        return RawResponse(_encode(changed), headers=_NO_STORE)

    @delete("/webhooks/{webhook_id:str}", status_code=200, opt={OPT: [docs.DELETE]})
    async def delete_webhook(webhook_id: FromPath[str], request: Request[Any, Any, Any]) -> ASGIApp:
        await webhooks.remove(webhook_id)
        await services.audit.note(request.scope, Action.DELETE_WEBHOOK, webhook_id)
        return RawResponse(_encode(WebhookList(webhooks=await webhooks.all())))

    return [register_webhook, list_webhooks, read_webhook, change_webhook, delete_webhook]


def _secrets(services: Services) -> list[HTTPRouteHandler]:
    webhooks = services.webhooks

    @read("/webhooks/{webhook_id:str}/secret", docs.SECRET)
    async def read_webhook_secret(webhook_id: FromPath[str], request: Request[Any, Any, Any]) -> ASGIApp:
        caller = _require_secret(request, webhook_id)
        return RawResponse(_encode(await webhooks.secret(webhook_id, caller=caller.key_id)), headers=_NO_STORE)

    @post("/webhooks/{webhook_id:str}/secret", status_code=200, opt={OPT: [docs.ROTATE]})
    async def rotate_webhook_secret(webhook_id: FromPath[str], request: Request[Any, Any, Any]) -> ASGIApp:
        caller = _require_secret(request, webhook_id)
        secret = await webhooks.new_secret(webhook_id, caller=caller.key_id)
        await services.audit.note(request.scope, Action.ROTATE_SECRET, webhook_id)
        return RawResponse(_encode(secret), headers=_NO_STORE)

    return [read_webhook_secret, rotate_webhook_secret]


def _require_secret(request: Request[Any, Any, Any], webhook_id: str) -> Caller:
    """Who asks; raises ``Forbidden`` for who may only have its own."""
    caller = caller_of(request.scope)
    if webhook_id != DIRECT and not caller.may_operate:
        raise Forbidden(caller.name, wanted=[Scope.OPERATE])
    return caller


def _delivered(services: Services) -> list[HTTPRouteHandler]:
    webhooks = services.webhooks

    @read("/webhooks/{webhook_id:str}/deliveries", docs.DELIVERIES)
    async def list_webhook_deliveries(webhook_id: FromPath[str], request: Request[Any, Any, Any]) -> ASGIApp:
        found = await webhooks.deliveries(webhook_id, limit=_limit(request))
        return RawResponse(_encode(DeliveryList(deliveries=found)), headers=_NO_STORE)

    @read("/predict/{prediction_id:str}/deliveries", docs.OF_PREDICTION)
    async def list_prediction_deliveries(prediction_id: FromPath[str], request: Request[Any, Any, Any]) -> ASGIApp:
        require_prediction_id(prediction_id)
        await require_own(request.scope, services.queue, prediction_id)
        found = await webhooks.deliveries_of(prediction_id)
        return RawResponse(_encode(DeliveryList(deliveries=found)), headers=_NO_STORE)

    @read("/deliveries/{delivery_id:str}", docs.DELIVERY)
    async def read_delivery(delivery_id: FromPath[str]) -> ASGIApp:
        return RawResponse(_encode(await webhooks.delivery(delivery_id)), headers=_NO_STORE)

    @post("/deliveries/{delivery_id:str}/redeliver", status_code=202, opt={OPT: [docs.REDELIVER]})
    async def redeliver(delivery_id: FromPath[str], request: Request[Any, Any, Any]) -> ASGIApp:
        delivery = await webhooks.redeliver(delivery_id)
        await services.audit.note(request.scope, Action.REDELIVER, delivery_id)
        return RawResponse(_encode(delivery), status=202, headers=_NO_STORE)

    return [list_webhook_deliveries, list_prediction_deliveries, read_delivery, redeliver]


_decode_request: Callable[[bytes], WebhookRequest] = msgspec.json.Decoder(WebhookRequest).decode
_decode_change: Callable[[bytes], WebhookChange] = msgspec.json.Decoder(WebhookChange).decode


async def _body(request: Request[Any, Any, Any]) -> bytes:
    headers = dict(request.scope["headers"])
    require_json(headers.get(b"content-type"))
    return await read_body(headers, request.receive, max_bytes=REQUEST_BYTES)


def _host_of(url: str) -> str:
    """What of it may be shown to everybody who may read: a path may hold a secret."""
    return urlsplit(url).hostname or ""


def _limit(request: Request[Any, Any, Any]) -> int:
    values = request.query_params.getall("limit", [str(USUAL_LIMIT)])
    if len(values) > 1 or not re.fullmatch(r"[0-9]{1,4}", values[0]) or not 1 <= int(values[0]) <= docs.MOST:
        raise MalformedRequest(docs.WRONG_LIMIT, field="limit")
    return int(values[0])
