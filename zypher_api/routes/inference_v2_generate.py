"""``/v2/models/{name}/generate`` and ``generate_stream``: text in, text out, whole or piece by piece."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from litestar.handlers import post
from litestar.params import FromPath
from litestar.types import ASGIApp, ControllerRouterHandler, Receive, Scope, Send

from zypher_api.auth import caller_of
from zypher_api.bodies import read_body, unpacked
from zypher_api.event_stream import HEADERS
from zypher_api.idempotency import HEADER as IDEMPOTENCY_KEY
from zypher_api.idempotency import predicted_once
from zypher_api.negotiation import Reply, require_json, wanted_reply
from zypher_api.openapi import OPT
from zypher_api.predicting import Output, answer_later, check_known, predict_later, predict_now, prediction_header
from zypher_api.presence import goes_on, while_wanted
from zypher_api.problems import CallerGone, MalformedRequest
from zypher_api.responses import Header, RawResponse
from zypher_api.routes import inference_v2_generate_docs as described
from zypher_api.services import Services
from zypher_api.tracing import trace_of
from zypher_api.webhook_headers import wanted_webhook
from zypher_jobs.contracts.inference import GenerateRequest, GenerateResponse
from zypher_jobs.errors import InvalidInput, ZypherError
from zypher_jobs.models import ServedModel
from zypher_jobs.models.call import NOBODY, Listener
from zypher_jobs.models.inference import refusal
from zypher_jobs.models.schema import json_schema
from zypher_jobs.models.texts import TextForm, text_form
from zypher_jobs.queue.ids import new_prediction_id

_NO_KEY_FOR_STREAMS = (
    "A stream cannot be sent again, so it has no Idempotency-Key: send it with Prefer: respond-async, and follow "
    "GET /predict/{prediction_id}/events; or call generate."
)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(GenerateRequest).decode
_SCHEMA = json_schema(GenerateRequest)


def handlers(services: Services) -> list[ControllerRouterHandler]:
    """The handlers of this file."""

    @post("/v2/models/{name:str}/generate", opt={OPT: [described.GENERATE]})
    async def generate(name: FromPath[str]) -> ASGIApp:
        return _generates(services, name, None, streams=False)

    @post("/v2/models/{name:str}/versions/{version:str}/generate", opt={OPT: [described.GENERATE_VERSION]})
    async def generate_version(name: FromPath[str], version: FromPath[str]) -> ASGIApp:
        return _generates(services, name, version, streams=False)

    @post("/v2/models/{name:str}/generate_stream", opt={OPT: [described.GENERATE_STREAM]})
    async def generate_stream(name: FromPath[str]) -> ASGIApp:
        return _generates(services, name, None, streams=True)

    @post("/v2/models/{name:str}/versions/{version:str}/generate_stream", opt={OPT: [described.STREAM_VERSION]})
    async def stream_version(name: FromPath[str], version: FromPath[str]) -> ASGIApp:
        return _generates(services, name, version, streams=True)

    return [generate, generate_version, generate_stream, stream_version]


def _generates(services: Services, name: str, version: str | None, *, streams: bool) -> ASGIApp:
    async def generate(scope: Scope, receive: Receive, send: Send) -> None:
        reply = wanted_reply(scope, streams=streams)
        headers = dict(scope["headers"])
        require_json(headers.get(b"content-type"))
        max_bytes = services.settings.max_body_bytes
        body = await read_body(headers, receive, max_bytes=max_bytes)
        body = unpacked(body, headers.get(b"content-encoding"), max_bytes=max_bytes)
        webhook = wanted_webhook(headers, services.webhook_policy, later=reply.later)
        served = services.registry.get(name, version)
        if not served.ready:
            await services.loaded()
            check_known(served)
        if not reply.later:
            served.check_room(services.settings.shed_wait_s)
        generation = _Generation(services, served, body, scope)
        caller = caller_of(scope)
        stays = goes_on(headers, services.settings.on_disconnect)
        if streams and not reply.later:
            if IDEMPOTENCY_KEY in headers:
                raise MalformedRequest(_NO_KEY_FOR_STREAMS, field="Idempotency-Key")
            await services.limits.predictions(scope, caller, 1)
            await generation.stream(new_prediction_id(), receive, send, stays=stays)
            return

        async def answered(reply: Reply, prediction_id: str, is_new: bool = True) -> RawResponse:
            if reply.later:
                return await generation.later(prediction_id, reply, webhook, is_new=is_new)
            await services.limits.predictions(scope, caller, 1)
            with while_wanted(scope, stays=stays):
                return await generation.whole(prediction_id)

        if IDEMPOTENCY_KEY in headers:
            answer = await predicted_once(services, scope, body, caller=caller.key_id, reply=reply, run=answered)
        else:
            answer = await answered(reply, new_prediction_id())
        await answer(scope, receive, send)

    return generate


class _Generation:
    """One request."""

    def __init__(self, services: Services, served: ServedModel, body: bytes, scope: Scope) -> None:
        """Raises ``InvalidInput`` for a model of other things than texts, and for what does not fit its input."""
        self._services = services
        self._served = served
        self._form = _form_of(served)
        try:
            request = _decode(body)
        except (ValueError, RecursionError) as error:
            raise refusal(body, error, _SCHEMA) from None
        self._id = request.id
        self._input = served.convert(self._form.input(request.text_input, self._parameters(request)))
        self._caller = caller_of(scope)
        self._scope = scope

    async def whole(self, prediction_id: str) -> RawResponse:
        """The text when it is complete."""
        output = await self._run(prediction_id, NOBODY)
        return RawResponse(self._answer(output.value), headers=self._headers(prediction_id))

    async def later(self, prediction_id: str, reply: Reply, webhook: str, *, is_new: bool) -> RawResponse:
        """Queue it; with ``wait``, the text if it is complete in time."""
        prediction = await predict_later(
            self._services,
            self._served,
            self._input,
            body=_encode(self._input),
            prediction_id=prediction_id,
            is_new=is_new,
            caller=self._caller,
            reply=reply,
            webhook=webhook,
            scope=self._scope,
        )
        return answer_later(self._served, prediction, reply, answer_of=self._answer)

    async def stream(self, prediction_id: str, receive: Receive, send: Send, *, stays: bool) -> None:
        """One event for each piece, without its caller too if it ``stays``.

        What fails before the first is a problem document, later an event ``error``.
        """
        pieces = _Pieces()
        async with self._running(prediction_id, pieces, None if stays else receive) as running:
            piece = await pieces.next()
            if piece is _END and not self._is_whole(running):
                running.result()
            headers = [*HEADERS, *self._headers(prediction_id)]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            while piece is not _END:
                await self._send(send, self._event(self._form.text(piece)))
                piece = await pieces.next()
            try:
                if self._is_whole(running):
                    await self._send(send, self._event(self._form.text(running.result().value)))
                running.result()
            except ZypherError as error:
                await self._send(send, _encode({"error": error.message}))
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _is_whole(self, running: "asyncio.Task[Output]") -> bool:
        """Whether it is an output of a model that does not stream."""
        return not self._served.definition.streams and running.exception() is None

    def _headers(self, prediction_id: str) -> list[Header]:
        return [prediction_header(prediction_id), self._served.header]

    async def _run(self, prediction_id: str, listener: Listener) -> Output:
        self._scope["state"]["prediction_id"] = prediction_id
        return await predict_now(
            self._services,
            self._served,
            self._input,
            body=_encode(self._input),
            prediction_id=prediction_id,
            caller=self._caller,
            listener=listener,
            trace=trace_of(self._scope),
        )

    @asynccontextmanager
    async def _running(
        self, prediction_id: str, pieces: "_Pieces", receive: Receive | None
    ) -> AsyncGenerator["asyncio.Task[Output]"]:
        """Runs until the block is left; with ``receive`` a caller who goes away cancels it."""
        running = asyncio.create_task(self._run(prediction_id, pieces))
        running.add_done_callback(lambda _: pieces.chunk(_END))
        leaving = None if receive is None else asyncio.create_task(_cancel_when_gone(running, receive))
        try:
            yield running
        except asyncio.CancelledError:
            if leaving is not None and leaving.done():
                raise CallerGone from None
            raise
        finally:
            if leaving is not None:
                leaving.cancel()
            running.cancel()

    def _parameters(self, request: GenerateRequest) -> dict[str, Any]:
        parameters = {name: value for name, value in request.parameters.items() if name != "stream"}
        if unknown := [name for name in parameters if name not in self._form.parameters]:
            known = ", ".join(sorted(self._form.parameters)) or "none"
            raise InvalidInput(
                f"Model {self._served.name!r} has no parameter {unknown[0]!r}; its parameters: {known}.",
                field=f"$.parameters.{unknown[0]}",
            )
        return parameters

    def _answer(self, output: Any) -> bytes:
        """With the whole text of an output, as the model gives it or as it comes out of the queue."""
        streamed = output if self._served.definition.streams else [output]
        text = streamed if isinstance(streamed, str) else "".join(self._form.text(each) for each in streamed)
        return self._event(text)

    def _event(self, text: str) -> bytes:
        served = self._served
        return _encode(
            GenerateResponse(model_name=served.name, model_version=served.version, id=self._id, text_output=text)
        )

    @staticmethod
    async def _send(send: Send, data: bytes) -> None:
        await send({"type": "http.response.body", "body": b"data: %b\n\n" % data, "more_body": True})


_END: Any = object()


class _Pieces:
    """A ``Listener`` for the pieces of an output. They are held without a limit, as the output itself is."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue = asyncio.Queue[Any]()

    def progress(self, fraction: float, message: str) -> None:
        """Not told here."""

    def log(self, line: str) -> None:
        """Not told here."""

    def chunk(self, output: Any) -> None:
        """The next one."""
        self._loop.call_soon_threadsafe(self._queue.put_nowait, output)

    async def next(self) -> Any:
        """The next one, ``_END`` behind the last."""
        return await self._queue.get()


async def _cancel_when_gone(running: "asyncio.Task[Output]", receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    running.cancel()


def _form_of(served: ServedModel) -> TextForm:
    form = text_form(served.definition)
    if form is None:
        raise InvalidInput(
            f"Model {served.name!r} does not turn one text into one text, as `generate` wants it; "
            f"use /v2/models/{served.name}/infer or /models/{served.name}/predict.",
        )
    return form
