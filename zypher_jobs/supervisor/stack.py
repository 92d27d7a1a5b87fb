"""The whole of ``zypher up``: start the parts, keep them running, drain them in order."""

import asyncio
import logging
import os
import socket
from collections.abc import Sequence

from zypher_jobs import __version__
from zypher_jobs.processes import describe_exit
from zypher_jobs.queue.embedded import EmbeddedServer
from zypher_jobs.settings import Settings
from zypher_jobs.supervisor.api import ApiPart
from zypher_jobs.supervisor.command import CommandPart, worker_look
from zypher_jobs.supervisor.console import Console
from zypher_jobs.supervisor.dashboard import Dashboard, has_terminal
from zypher_jobs.supervisor.data_dir import LOGS_NAME, DataDir, RunFacts
from zypher_jobs.supervisor.group import Group
from zypher_jobs.supervisor.part import Part
from zypher_jobs.supervisor.preflight import embedded_version, preflight
from zypher_jobs.supervisor.probes import api_url
from zypher_jobs.supervisor.redis import RedisPart

_SETTLE_S = 15.0
"""Longest wait for every part to be ready before logs flow, or the dashboard is shown, without it."""
_DASHBOARD_STOP_S = 3.0
_REDIS_STOP_S = 10.0


def run_up(settings: Settings) -> int:
    """Check, start, serve until told to stop, drain; the exit code. Raises ``ZypherError``; then nothing is left."""
    data_dir, listener = preflight(settings)
    try:
        return asyncio.run(Stack(settings, data_dir, listener, dashboard=has_terminal()).run())
    finally:
        listener.close()
        data_dir.release()


class Stack(Group):
    """The parts of one ``zypher up`` and what happens to all of them."""

    def __init__(self, settings: Settings, data_dir: DataDir, listener: socket.socket, *, dashboard: bool) -> None:
        super().__init__(
            settings, Console(settings, logs_dir=data_dir.path / LOGS_NAME if dashboard else None), listener
        )
        self._data_dir = data_dir
        data_dir.make_local_token()
        self._wants_dashboard = dashboard
        self._dashboard: Dashboard | None = None
        self._redis: list[Part] = []
        self._api: list[ApiPart] = []
        self._workers: list[Part] = []
        self._redis_url = settings.redis_url

    async def _serve(self) -> None:
        """Start everything and keep it running, until canceled or until the first start shows that it cannot be."""
        async with asyncio.TaskGroup() as group:
            if self._redis_url is None:
                server = EmbeddedServer(self._data_dir.path, pass_fds=(self._data_dir.lock_fd,))
                self._redis_url = server.url
                self._redis = [self._redis_part(server)]
                await self._keep_running(group, self._redis, timeout_s=None)
            self._api = self._api_parts(self._redis_url, on_start=self._write_run)
            self._workers = self._worker_parts(self._redis_url)
            await self._keep_running(group, [*self._api, *self._workers], timeout_s=_SETTLE_S)
            if self._wants_dashboard:
                await self._show_dashboard(self._redis_url)
            self._console.release()

    def _redis_part(self, server: EmbeddedServer) -> Part:
        return RedisPart(
            server,
            shown=f"embedded {embedded_version()}, data in {self._settings.data_dir}",
            reaper=self._reaper,
            console=self._console,
            on_start=self._write_run,
        )

    def _worker_parts(self, redis_url: str) -> list[Part]:
        of = self._settings.workers
        return [
            CommandPart(
                "worker",
                f"{number} of {of}",
                settings=self._settings,
                redis_url=redis_url,
                look=worker_look,
                reaper=self._reaper,
                console=self._console,
                on_start=self._write_run,
            )
            for number in range(1, of + 1)
        ]

    async def _show_dashboard(self, redis_url: str) -> None:
        """Show it until it ends. It ends everything when it was quit, nothing when it crashed."""
        self._console.cover()
        self._dashboard = Dashboard(api_url=api_url(self._settings), redis_url=redis_url, reaper=self._reaper)
        code = await self._dashboard.wait()
        self._console.uncover()
        if code == 0:
            self._ask_to_stop()
            return
        self._console.show_logs()
        self._console.event(
            "failed",
            f"{describe_exit(code)}; serving goes on without it, logs follow, Ctrl-C stops",
            about="dashboard",
            level=logging.ERROR,
        )

    def _parts(self) -> Sequence[Part]:
        return (*self._workers, *self._api, *self._redis)

    def _replaceable(self) -> Sequence[Part]:
        return (*self._workers, *self._api)  # a model that is new is known to who runs it before who takes it

    def _end_at_once(self) -> None:
        super()._end_at_once()
        if self._dashboard is not None:
            self._dashboard.kill()

    async def _drain(self) -> None:
        """Workers, API, dashboard, Redis: each ends before what it needs does."""
        grace_s = self._settings.grace_s
        self._console.release()
        self._console.event("stop", f"draining: what runs gets up to {grace_s:g} s; Ctrl-C ends at once")
        self._seats.board.stop()  # from now on the API is not ready, and serves on
        await self._stop_all(self._workers)
        self._seats.close()
        await self._stop_all(self._api)
        if self._dashboard is not None:
            await self._dashboard.stop(timeout_s=_DASHBOARD_STOP_S)
            self._console.uncover()
        await asyncio.gather(*(part.stop(timeout_s=_REDIS_STOP_S) for part in self._redis))

    def _write_run(self) -> None:
        """Say in ``run.json`` what runs, so that ``zypher tui`` in another terminal finds it."""
        parts = [*self._redis, *self._api, *self._workers]
        facts = RunFacts(
            pid=os.getpid(),
            version=__version__,
            api_url=api_url(self._settings),
            redis_url=None if self._settings.redis_url else self._redis_url,
            pids={part.name: part.process.pid for part in parts if part.process},
        )
        try:
            self._data_dir.write_run(facts)
        except OSError as error:
            self._console.event("failed", f"run.json cannot be written: {error.strerror}", level=logging.WARNING)
