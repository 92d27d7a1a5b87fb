"""``/v2/repository``: which models there are, and having this process load one or let it go."""

from collections.abc import Awaitable, Callable

import msgspec
from litestar.handlers import post
from litestar.params import FromPath
from litestar.types import ASGIApp, ControllerRouterHandler, Receive, Scope, Send

from zypher_api.bodies import read_body
from zypher_api.openapi import OPT
from zypher_api.responses import RawResponse
from zypher_api.routes import inference_v2_docs as described
from zypher_api.services import Services
from zypher_jobs.contracts.inference import IndexEntry, IndexRequest
from zypher_jobs.contracts.operation import Action
from zypher_jobs.errors import Conflict, InvalidInput, ModelNotReady
from zypher_jobs.models import ServedModel
from zypher_jobs.models.inference import refusal
from zypher_jobs.models.schema import json_schema

_encode = msgspec.json.Encoder().encode
_decode_index = msgspec.json.Decoder(IndexRequest).decode
_decode_parameters = msgspec.json.Decoder(described.LoadRequest).decode
_INDEX_SCHEMA = json_schema(IndexRequest)
_LOAD_SCHEMA = json_schema(described.LoadRequest)


def handlers(services: Services) -> list[ControllerRouterHandler]:
    """The handlers of this file."""

    @post("/v2/repository/index", opt={OPT: [described.INDEX]})
    async def index() -> ASGIApp:
        return _index(services)

    @post("/v2/repository/models/{name:str}/load", opt={OPT: [described.LOAD]})
    async def load(name: FromPath[str]) -> ASGIApp:
        return _changes(services, name, _load, Action.LOAD)

    @post("/v2/repository/models/{name:str}/unload", opt={OPT: [described.UNLOAD]})
    async def unload(name: FromPath[str]) -> ASGIApp:
        return _changes(services, name, _unload, Action.UNLOAD)

    return [index, load, unload]


def _index(services: Services) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        body = await _body(services, scope, receive)
        try:
            request = _decode_index(body or b"{}")
        except (ValueError, RecursionError) as error:
            raise refusal(body, error, _INDEX_SCHEMA) from None
        entries = [_entry(served) for served in services.registry.all() if served.info.ready or not request.ready]
        await RawResponse(_encode(entries))(scope, receive, send)

    return answer


def _changes(
    services: Services, name: str, change: Callable[[Services, ServedModel], Awaitable[None]], action: Action
) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        versions = services.registry.versions(name).all
        _check_parameters(await _body(services, scope, receive))
        for served in versions:
            await change(services, served)
        await services.audit.note(scope, action, name, detail=f"in {services.process_id}")
        await RawResponse(_encode([_entry(served) for served in versions]))(scope, receive, send)

    return answer


async def _load(_: Services, served: ServedModel) -> None:
    await served.load()
    if served.error is not None:
        why = served.error.rstrip(".")
        raise ModelNotReady(f"Model {served.definition.reference!r} could not be loaded: {why}.")


async def _unload(services: Services, served: ServedModel) -> None:
    if served.name == services.settings.default_model:
        raise Conflict(
            f"Model {served.name!r} is the default one: POST /predict and /health/ready need it. Set "
            "ZYPHER_DEFAULT_MODEL to another to be able to unload it."
        )
    await served.unload(drain_s=services.settings.grace_s)


def _entry(served: ServedModel) -> IndexEntry:
    info = served.info
    return IndexEntry(
        name=info.name,
        version=info.version,
        state="READY" if info.ready else "UNAVAILABLE",
        reason=info.error or "",
    )


def _check_parameters(body: bytes) -> None:
    """Triton takes a model's files and configuration here; these have another way."""
    try:
        request = _decode_parameters(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise refusal(body, error, _LOAD_SCHEMA) from None
    for name, value in request.parameters.items():
        if name != "unload_dependents":
            raise InvalidInput(
                f"Parameter {name!r} is not served here: a model is loaded as its settings or its manifest say.",
                field=f"$.parameters.{name}",
            )
        if not isinstance(value, bool):
            raise InvalidInput(f"Parameter {name!r} must be true or false.", field=f"$.parameters.{name}")


async def _body(services: Services, scope: Scope, receive: Receive) -> bytes:
    return await read_body(dict(scope["headers"]), receive, max_bytes=services.settings.max_body_bytes)
