"""``POST /predict`` with less and less around it: what all of Zypher's middleware together is measured against.

The same server each time. By itself it is Zypher's own handler of ``/predict`` without its middleware: no keys, no
limits, no metrics, no request log, no request ids. With ``--prediction`` a function that only decodes the body, runs
the prediction and records it: it looks at no header and handles no error. With ``--hash`` not even that: the JSON in,
the hash, the JSON out. ``python -m bench.bare_handler``, with Zypher's settings.
"""

import gc
import sys
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any, cast

import msgspec
import uvicorn
from litestar import Litestar
from litestar.handlers import ASGIRouteHandler

from zypher_api.corked import CorkedProtocol
from zypher_api.keyring import ANYBODY
from zypher_api.predicting import predict_now
from zypher_api.routes.predict import handlers
from zypher_api.services import Services
from zypher_jobs.models.runtimes.mock import MockInput, MockOutput
from zypher_jobs.queue.ids import new_prediction_id
from zypher_jobs.settings import Settings, load_settings

Asgi = Callable[[Any, Any, Any], Awaitable[None]]

_decode = msgspec.json.Decoder(MockInput).decode
_encode = msgspec.json.Encoder().encode


def handling(settings: Settings) -> Asgi:
    """The handler of the API."""
    services = Services(msgspec.structs.replace(settings, auth="off"))
    (handler,) = (
        each for each in handlers(services) if isinstance(each, ASGIRouteHandler) and each.paths == {"/predict"}
    )
    predict = cast("Asgi", handler.fn)

    async def handle(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            async with services.running(cast("Litestar", None)):
                await _live(receive, send)
        else:
            await predict(scope, receive, send)

    return handle


def predicting(settings: Settings) -> Asgi:
    """The prediction as the API has it."""
    services = Services(settings)

    async def predict(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            async with services.running(cast("Litestar", None)):
                await _live(receive, send)
            return
        body = (await receive())["body"]
        served = services.default_model
        prediction_id = new_prediction_id()
        output = await predict_now(
            services, served, served.decode(body), body=body, prediction_id=prediction_id, caller=ANYBODY
        )
        await _answer(send, output.json)

    return predict


def hashing() -> Asgi:
    """The same JSON, and the hash."""

    async def predict(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        text = _decode((await receive())["body"]).input
        await _answer(send, _encode(MockOutput(input=text, result=sha256(text.encode()).hexdigest())))

    return predict


async def _answer(send: Any, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _live(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()


def main() -> None:
    """Serve."""
    settings = load_settings()
    config = uvicorn.Config(
        hashing() if "--hash" in sys.argv else (predicting if "--prediction" in sys.argv else handling)(settings),
        port=settings.port,
        http=CorkedProtocol,
        loop="uvloop",
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
    )
    gc.collect()
    gc.freeze()
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main()
