"""``zypher tui --web``: the dashboard in a browser on this machine, each visitor a dashboard of their own.

textual-serve does the serving. It trusts whoever reaches it, so this lets in only who is on this machine and came by
its own page: another site's page cannot reach it, neither by a name that it has point here (DNS rebinding) nor by a
WebSocket.
"""

import shlex
import sys
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from aiohttp import web
from textual_serve.server import Server

HOST = "127.0.0.1"
NAMES = frozenset({HOST, "localhost", "::1"})
POLICY = "default-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self' ws://{host}"
"""Nothing is fetched from elsewhere; the page of textual-serve would ask for a font."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class WebDashboard(Server):
    """Serves the command on loopback."""

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(_only_from_here)
        return app

    async def on_startup(self, app: web.Application) -> None:
        """Say where it is."""
        del app
        sys.stderr.write(f"The dashboard is at {self.public_url} for whoever is on this machine; Ctrl-C ends it.\n")

    def initialize_logging(self) -> None:
        """Nothing is logged: requests hold nothing worth it."""


@web.middleware
async def _only_from_here(request: web.Request, handler: Handler) -> web.StreamResponse:
    if urlsplit(f"//{request.host}").hostname not in NAMES:
        raise web.HTTPForbidden(text=f"This dashboard is at http://{HOST} only.")
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise web.HTTPForbidden(text="Another site's page may not open this dashboard.")
    response = await handler(request)
    if not response.prepared:
        response.headers["Content-Security-Policy"] = POLICY.format(host=request.host)
    return response


def run_web(arguments: Sequence[str], *, port: int) -> int:
    """Serve ``zypher tui`` with these arguments until interrupted; returns the exit code."""
    command = shlex.join([sys.executable, "-m", "zypher_jobs.cli", "tui", *arguments])
    WebDashboard(command, host=HOST, port=port, title="Zypher").serve()
    return 0
