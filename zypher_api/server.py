"""``serve``: the API on a port, with uvicorn, until SIGTERM or SIGINT."""

import asyncio
import gc
import math
import signal
import socket
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any, cast

import uvicorn
from uvicorn.lifespan.on import LifespanOn

from zypher_api.app import create_app
from zypher_api.gated import GatedProtocol
from zypher_api.routes.system import check_ready
from zypher_api.seat import Seat
from zypher_api.services import Services
from zypher_api.watch import Watch
from zypher_jobs import logs
from zypher_jobs.board import LaneState
from zypher_jobs.errors import StartError, Unavailable
from zypher_jobs.processes import open_many_files
from zypher_jobs.settings import Settings
from zypher_jobs.supervisor.listener import BACKLOG, bind

KEEP_ALIVE_S = 65
"""How long an idle connection stays open: longer than the 60 s after which proxies close theirs."""
LINGER_S = 1.0
"""How long an idle connection is kept open by a process that drains: the request that may be on its way is answered."""
_LOOK_S = 0.05


def serve(settings: Settings, seat: Seat | None = None) -> int:
    """Serve until a signal, drain for at most ``grace_s``, and return the exit code. One process; ``seat`` is its own.

    Raises ``StartError`` or ``SettingError``, in one sentence, when it cannot start.
    """
    logs.configure(settings, part="api")
    open_many_files()
    listener = (seat and seat.listener) or bind(settings.host, settings.port)
    server = ApiServer(settings, seat)
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn has the same handler while it runs. Before, this one keeps an early signal from being lost; after,
        # uvicorn raises the signal again, and there is nothing left to do
        signal.signal(number, server.handle_exit)
    # what is there now stays: the collector need not walk all modules and routes again and again (8 % of a request)
    gc.collect()
    gc.freeze()
    server.run(sockets=[listener])
    if server.services.refusal is not None:
        raise StartError(server.services.refusal)
    return 0 if server.started else 1


class ApiServer(uvicorn.Server):
    """uvicorn as the API wants it. When it drains, it answers those that wait before it waits for them."""

    def __init__(self, settings: Settings, seat: Seat | None = None) -> None:
        app = create_app(settings, seat)
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

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen once the application lets: one that takes another's place has loaded its models before."""
        self.lifespan = _Lifespan(self.config, then=partial(self._check, sockets or []))
        await super().startup(sockets)

    def _check(self, sockets: list[socket.socket]) -> None:
        """End without having listened, if this process lacks what it needs to take another's place."""
        if self.services.refusal is not None:
            sockets.clear()
            self.should_exit = True

    async def main_loop(self) -> None:
        """Serve, and say so as soon as it is ready."""
        saying = asyncio.create_task(self._say_ready())
        try:
            await super().main_loop()
        finally:
            saying.cancel()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain. Each answer from now on says ``Connection: close``, and its connection does.

        An idle one stays open a little longer: what its caller has sent meanwhile is answered like all else.
        """
        self.services.drain()
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        self.server_state.default_headers.append((b"connection", b"close"))
        for connection in self.server_state.connections:
            cycle = cast("Any", connection).cycle
            if cycle is not None and not cycle.response_complete:
                cycle.keep_alive = False
        await self._linger(min(LINGER_S, self.services.settings.grace_s))
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain at the first signal; whoever wants it to end at once kills it."""
        if not self.should_exit:
            super().handle_exit(sig, frame)

    async def _linger(self, at_most_s: float) -> None:
        for _ in range(round(at_most_s / _LOOK_S)):
            if not self.server_state.connections:
                return
            await asyncio.sleep(_LOOK_S)

    async def _say_ready(self) -> None:
        while True:
            try:
                await check_ready(self.services)
            except Unavailable:
                await asyncio.sleep(_LOOK_S)
            else:
                self.services.lane.say(LaneState.READY)
                return


class _Lifespan(LifespanOn):
    """uvicorn's, which calls ``then`` once the application has started, before uvicorn listens."""

    def __init__(self, config: uvicorn.Config, *, then: Callable[[], None]) -> None:
        super().__init__(config)
        self._then = then

    async def startup(self) -> None:
        """Start the application."""
        await super().startup()
        self._then()
