"""The embedded server as a part."""

import asyncio
import os
import signal
from collections.abc import Callable, Sequence

from zypher_jobs.errors import StartError, ZypherError
from zypher_jobs.processes import describe_exit
from zypher_jobs.queue.embedded import EmbeddedServer
from zypher_jobs.supervisor.child import Reaper
from zypher_jobs.supervisor.console import Console
from zypher_jobs.supervisor.part import Part, Running


class RedisPart(Part):
    """The embedded server."""

    def __init__(
        self, server: EmbeddedServer, *, shown: str, reaper: Reaper, console: Console, on_start: Callable[[], None]
    ) -> None:
        super().__init__("redis", "", console=console, on_start=on_start)
        self._server = server
        self._shown = shown
        self._reaper = reaper

    def start(self, *, replaces: bool = False) -> Running:
        """Start it over the data that is there; it is never replaced."""
        del replaces
        self._server.launch()
        return _RunningServer(self._server, self._reaper)

    async def look(self, process: Running) -> str | None:  # noqa: ARG002  # the socket is its own
        """Ready once it answers with its data loaded."""
        return self._shown if self._server.answers() else None

    def refusal(self, code: int, last_line: str) -> ZypherError | None:
        """Without Redis there is nothing to serve with."""
        return StartError(f"The embedded Redis-compatible server {describe_exit(code)}: {last_line}")


class _RunningServer:
    """The embedded server's process."""

    def __init__(self, server: EmbeddedServer, reaper: Reaper) -> None:
        self._server = server
        self._code = 0
        self._ended = asyncio.Event()
        reaper.watch(server.poll, self._end)

    @property
    def pid(self) -> int:
        return self._server.pid

    @property
    def last_lines(self) -> Sequence[str]:
        return [self._server.last_log_line()]

    async def wait(self) -> int:
        await self._ended.wait()
        return self._code

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if not self._ended.is_set():
            os.kill(self.pid, number)

    def _end(self, code: int) -> None:
        self._server.socket_path.unlink(missing_ok=True)
        self._code = code
        self._ended.set()
