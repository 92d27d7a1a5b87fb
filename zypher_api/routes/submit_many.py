"""``POST /predictions``: many predictions of any models in one call, each with an answer of its own."""

import math
import time
from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler, post
from litestar.types import ASGIApp, Scope

from zypher_api.answers import accepted_of
from zypher_api.auth import caller_of
from zypher_api.bodies import decoded, read_body
from zypher_api.idempotency import HEADER as IDEMPOTENCY_KEY
from zypher_api.idempotency import answered_once
from zypher_api.negotiation import require_json
from zypher_api.openapi import OPT
from zypher_api.recorder import preview
from zypher_api.responses import Header, RawResponse
from zypher_api.routes import submit_many_docs as docs
from zypher_api.services import Services
from zypher_api.submit_many import ItemError, Submit, SubmittedMany, SubmittedOne, ToSubmit
from zypher_api.tracing import trace_of
from zypher_jobs.contracts.trace import TraceContext
from zypher_jobs.errors import CapacityError, InvalidInput, ModelNotReady, ZypherError
from zypher_jobs.models import ServedModel
from zypher_jobs.queue.bulk import Asked
from zypher_jobs.queue.ids import new_prediction_id

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ToSubmit).decode


def handlers(services: Services) -> list[HTTPRouteHandler]:
    """The handlers of this file."""

    @post("/predictions", status_code=202, opt={OPT: [docs.SUBMIT]})
    async def submit_predictions(request: Request[Any, Any, Any]) -> ASGIApp:
        scope, headers = request.scope, dict(request.scope["headers"])
        require_json(headers.get(b"content-type"))
        body = await read_body(headers, request.receive, max_bytes=services.settings.max_body_bytes)
        items = decoded(_decode, body, malformed=docs.MALFORMED)
        if IDEMPOTENCY_KEY not in headers:
            return await _submit(services, scope, items)
        return await answered_once(
            services,
            scope,
            body,
            caller=caller_of(scope).key_id,
            run=lambda begun: _submit(services, scope, items, id_of_all=begun.prediction_id),
            is_queued=True,
        )

    return [submit_predictions]


async def _submit(services: Services, scope: Scope, items: Sequence[Submit], *, id_of_all: str = "") -> RawResponse:
    """Queue them; with ``id_of_all`` under ids made of it, so that what is queued already is found again."""
    caller = caller_of(scope)
    made = await _Maker(services, key_id=caller.key_id, trace=trace_of(scope), id_of_all=id_of_all).all(items)
    asked = [each for each in made if isinstance(each, Asked)]
    ids = [each.prediction_id for each in asked]
    async with services.limits.queueing(scope, caller, ids):
        queued = await services.queue.bulk.submit(asked)
    refused = [i for i, what in zip(ids, queued, strict=True) if isinstance(what, ZypherError)]
    services.limits.give_back(caller, refused)
    answers = iter(queued)
    came = [next(answers) if isinstance(each, Asked) else each for each in made]
    told = [
        SubmittedOne(index=at, error=_error(at, what))
        if isinstance(what, ZypherError)
        else SubmittedOne(index=at, prediction=accepted_of(what))
        for at, what in enumerate(came)
    ]
    accepted = sum(one.prediction is not None for one in told)
    answer = SubmittedMany(accepted=accepted, refused=len(told) - accepted, items=told)
    return RawResponse(_encode(answer), status=202, headers=_headers(came))


class _Maker:
    """Of the items of one call."""

    def __init__(self, services: Services, *, key_id: str, trace: TraceContext | None, id_of_all: str) -> None:
        self._services = services
        self._id_of_all = id_of_all
        self._key_id = key_id
        self._trace = trace
        self._models: dict[tuple[str | None, str | None], ServedModel | ZypherError] = {}

    async def all(self, items: Sequence[Submit]) -> list[Asked | ZypherError]:
        """For each what is to be queued, or why it cannot be."""
        return [await self._one(at, each) for at, each in enumerate(items)]

    async def _one(self, at: int, item: Submit) -> Asked | ZypherError:
        served = await self._served(item.model, item.version)
        if isinstance(served, ZypherError):
            return served
        expires_in_s = None if item.deadline_at is None else item.deadline_at.timestamp() - time.time()
        if expires_in_s is not None and expires_in_s <= 0:
            return InvalidInput("deadline_at has passed; name a later time.", field="$.deadline_at")
        body = bytes(item.input)
        try:
            value = served.decode(body)
        except InvalidInput as error:
            return InvalidInput(error.message, field=f"$.input{error.field.removeprefix('$')}")
        return Asked(
            prediction_id=f"{self._id_of_all}-{at}" if self._id_of_all else new_prediction_id(),
            model=served.name,
            value=value,
            version=served.version,
            input_preview=preview(body),
            input_bytes=len(body),
            priority=item.priority,
            caller=self._key_id,
            expires_in_s=expires_in_s,
            timeout_s=item.timeout_s,
            trace=self._trace,
        )

    async def _served(self, name: str | None, version: str | None) -> ServedModel | ZypherError:
        """The version that answers, looked for once; one that is still coming is waited for a little."""
        if (name, version) not in self._models:
            registry, model = self._services.registry, name or self._services.settings.default_model
            try:
                try:
                    self._models[name, version] = registry.get(model, version)
                except ModelNotReady:
                    await self._services.loaded()
                    self._models[name, version] = registry.get(model, version)
            except ZypherError as error:
                self._models[name, version] = error
        return self._models[name, version]


def _error(index: int, error: ZypherError) -> ItemError:
    field = f"$[{index}]{error.field.removeprefix('$')}" if isinstance(error, InvalidInput) else None
    return ItemError(code=error.code, detail=error.message, field=field)


def _headers(came: Sequence[object]) -> list[Header]:
    """When it is worth sending again what there was no room for."""
    waits_s = [each.retry_after_s for each in came if isinstance(each, CapacityError)]
    return [(b"retry-after", b"%d" % math.ceil(max(waits_s)))] if waits_s else []
