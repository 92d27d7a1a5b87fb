"""``Direct``: what is called most goes past the framework's router, which would take 5 µs to find it.

Only raw ASGI handlers that admit their callers themselves, for POST to exactly their paths; everything else, and what
is no HTTP, goes the usual way. What they raise becomes the same answer as there.
"""

from collections.abc import Iterable

from litestar.handlers import ASGIRouteHandler
from litestar.types import ASGIApp, ControllerRouterHandler, Receive, Scope, Send

from zypher_api.auth import OWN_AUTH
from zypher_api.problems import CallerGone, respond
from zypher_api.responses import no_answer


class Direct:
    """An ASGI application around another one; inside ``Watch``, which knows whether an answer has begun."""

    def __init__(self, app: ASGIApp, handlers: Iterable[ControllerRouterHandler]) -> None:
        self._app = app
        self._handlers: dict[str, ASGIApp] = {
            path: handler.fn
            for handler in handlers
            if isinstance(handler, ASGIRouteHandler) and handler.opt.get(OWN_AUTH)
            for path in handler.paths
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        handler = self._handlers.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if handler is None:
            await self._app(scope, receive, send)
            return
        scope["path_template"] = scope["path"]
        try:
            await handler(scope, receive, send)
        except CallerGone:
            await no_answer(scope, receive, send)
        except Exception as error:
            if scope["state"]["has_answered"]:
                raise
            await respond(scope, error)(scope, receive, send)
