"""``serve``: the API on a port, with uvicorn, until SIGTERM or SIGINT."""

import asyncio
import errno
import gc
import math
import signal
import socket
from functools import partial
from typing import cast

import uvicorn

from zypher_api.app import create_app
from zypher_api.gated import GatedProtocol
from zypher_api.services import Services
from zypher_api.watch import Watch
from zypher_jobs import logs
from zypher_jobs.errors import StartError
from zypher_jobs.settings import Settings

KEEP_ALIVE_S = 65
"""How long an idle connection stays open: longer than the 60 s after which proxies close theirs."""
BACKLOG = 2048


def serve(settings: Settings) -> int:
    """Serve until a signal, drain for at most ``grace_s``, and return the exit code.

    Raises ``StartError`` or ``SettingError``, in one sentence, when it cannot start.
    """
    logs.configure(settings, part="api")
    listener = bind(settings.host, settings.port)
    server = ApiServer(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn has the same handler while it runs. Before, this one keeps an early signal from being lost; after,
        # uvicorn raises the signal again, and there is nothing left to do
        signal.signal(number, server.handle_exit)
    # what is there now stays: the collector need not walk all modules and routes again and again (8 % of a request)
    gc.collect()
    gc.freeze()
    server.run(sockets=[listener])
    return 0 if server.started else 1


class ApiServer(uvicorn.Server):
    """uvicorn as the API wants it. When it drains, it answers those that wait before it waits for them."""

    def __init__(self, settings: Settings) -> None:
        app = create_app(settings)
        self.services: Services = app.state["services"]
        config = uvicorn.Config(
            app,
            http=cast(
                "type[asyncio.Protocol]",
                partial(GatedProtocol, gate=self.services.gate, watch=cast("Watch", app.asgi_handler)),
            ),
            loop="uvloop",
            ws="none",
            lifespan="on",
            access_log=False,
            log_config=None,
            proxy_headers=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=math.ceil(settings.grace_s),
        )
        super().__init__(config)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to drain, then shut down as uvicorn does."""
        self.services.drain()
        await super().shutdown(sockets)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; raises ``StartError`` in one sentence that says which setting to change."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise StartError(
            f"The host {host!r} is not known ({error.strerror}); set ZYPHER_HOST to an address."
        ) from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise StartError(_refusal(host, port, error)) from error
    return listener


def _refusal(host: str, port: int, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"Port {port} on {host} is taken; set ZYPHER_PORT to a free one."
        case errno.EACCES:
            return f"Port {port} needs more rights than this user has; set ZYPHER_PORT to one from 1024 up."
        case errno.EADDRNOTAVAIL:
            return f"{host} is not an address of this machine; set ZYPHER_HOST to one that is."
        case _:
            return f"Port {port} on {host} cannot be opened ({error.strerror}); set ZYPHER_HOST or ZYPHER_PORT."
