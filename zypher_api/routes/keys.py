"""API keys: make, list, revoke. The whole of a key is shown once, in the answer that makes it."""

from typing import Any

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler, delete, post
from litestar.params import FromPath
from litestar.types import ASGIApp

from zypher_api.answers import ApiKeyList
from zypher_api.bodies import decoded, read_body
from zypher_api.negotiation import require_json
from zypher_api.openapi import OPT
from zypher_api.responses import RawResponse
from zypher_api.routes import key_docs as docs
from zypher_api.routes.reading import read
from zypher_api.services import Services
from zypher_jobs.contracts.access import ApiKeyRequest, NewApiKey
from zypher_jobs.contracts.operation import Action

REQUEST_BYTES = 65_536

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ApiKeyRequest).decode
_NO_STORE = [(b"cache-control", b"no-store")]


def handlers(services: Services) -> list[HTTPRouteHandler]:
    """The handlers of this file."""

    @post("/keys", opt={OPT: [docs.CREATE]})
    async def create_key(request: Request[Any, Any, Any]) -> ASGIApp:
        headers = dict(request.scope["headers"])
        require_json(headers.get(b"content-type"))
        body = await read_body(headers, request.receive, max_bytes=REQUEST_BYTES)
        key, token = await services.api_keys.create(decoded(_decode, body, malformed=docs.MALFORMED))
        scopes = " ".join(key.scopes)
        await services.audit.note(request.scope, Action.CREATE_KEY, key.name, detail=f"{key.key_id}, for {scopes}")
        await services.key_ring.look()  # here it may be used at once, elsewhere as soon as the message is there
        location = (b"location", f"/keys/{key.key_id}".encode())
        made = NewApiKey(**msgspec.structs.asdict(key), token=token)
        return RawResponse(_encode(made), status=201, headers=[location, *_NO_STORE])

    @read("/keys", docs.LIST)
    async def list_keys() -> ASGIApp:
        return RawResponse(_encode(ApiKeyList(keys=await services.api_keys.all())), headers=_NO_STORE)

    @read("/keys/{key_id:str}", docs.READ)
    async def read_key(key_id: FromPath[str]) -> ASGIApp:
        return RawResponse(_encode(await services.api_keys.get(key_id)), headers=_NO_STORE)

    @delete("/keys/{key_id:str}", status_code=200, opt={OPT: [docs.REVOKE]})
    async def revoke_key(key_id: FromPath[str], request: Request[Any, Any, Any]) -> ASGIApp:
        revoked = await services.api_keys.revoke(key_id)
        await services.audit.note(request.scope, Action.REVOKE_KEY, revoked.name, detail=revoked.key_id)
        await services.key_ring.look()
        return RawResponse(_encode(revoked), headers=_NO_STORE)

    return [create_key, list_keys, read_key, revoke_key]
