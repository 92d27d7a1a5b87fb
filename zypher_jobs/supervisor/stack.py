"""The whole of ``zypher up``: start the parts, keep them running, drain them in order."""

import asyncio
import contextlib
import functools
import logging
import os
import signal
import time
from collections.abc import Sequence
from typing import cast

from zypher_jobs import __version__
from zypher_jobs.processes import describe_exit
from zypher_jobs.queue.embedded import EmbeddedServer
from zypher_jobs.settings import Settings
from zypher_jobs.supervisor.child import Reaper
from zypher_jobs.supervisor.console import Console
from zypher_jobs.supervisor.dashboard import Dashboard, has_terminal
from zypher_jobs.supervisor.data_dir import LOGS_NAME, DataDir, RunFacts
from zypher_jobs.supervisor.parent import MARGIN_S
from zypher_jobs.supervisor.parts import CommandPart, Part, RedisPart, api_look, worker_look
from zypher_jobs.supervisor.preflight import embedded_version, preflight
from zypher_jobs.supervisor.probes import api_url

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_SETTLE_S = 15.0
"""Longest wait for every part to be ready before logs flow, or the dashboard is shown, without it."""
_DASHBOARD_STOP_S = 3.0
_REDIS_STOP_S = 10.0
_SAME_KEY_S = 0.3
"""A second SIGINT this soon is the same Ctrl-C: the terminal and a wrapper such as ``uv run`` may both send it."""


def run_up(settings: Settings) -> int:
    """Check, start, serve until told to stop, drain; the exit code. Raises ``ZypherError``; then nothing is left."""
    data_dir = preflight(settings)
    try:
        return asyncio.run(Stack(settings, data_dir, dashboard=has_terminal()).run())
    finally:
        data_dir.release()


class Stack:
    """The parts of one ``zypher up`` and what happens to all of them."""

    def __init__(self, settings: Settings, data_dir: DataDir, *, dashboard: bool) -> None:
        self._settings = settings
        self._data_dir = data_dir
        data_dir.make_local_token()
        self._console = Console(settings, logs_dir=data_dir.path / LOGS_NAME if dashboard else None)
        self._reaper = Reaper()
        self._wants_dashboard = dashboard
        self._dashboard: Dashboard | None = None
        self._redis: list[Part] = []
        self._api: list[Part] = []
        self._workers: list[Part] = []
        self._redis_url = settings.redis_url
        self._stop = asyncio.Event()
        self._stop_asked_at = 0.0
        self._forced = False

    async def run(self) -> int:
        """Serve until a signal, the dashboard's end or an error; then drain. Nothing is left when this returns."""
        self._reaper.install()
        self._take_signals()
        serve = asyncio.create_task(self._serve())
        stopped = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait([serve, stopped], return_when=asyncio.FIRST_COMPLETED)
            if serve.done():
                self._console.hush()  # its error is raised below
        finally:
            stopped.cancel()
            serve.cancel()
            await asyncio.wait([serve])
            await self._drain()
            self._leave_signals()
        if not serve.cancelled() and (error := serve.exception()):
            raise _first(error)
        return 128 + signal.SIGINT if self._forced else 0

    async def _serve(self) -> None:
        """Start everything and keep it running, until cancelled or until the first start shows that it cannot be."""
        async with asyncio.TaskGroup() as group:
            if self._redis_url is None:
                server = EmbeddedServer(self._data_dir.path, pass_fds=(self._data_dir.lock_fd,))
                self._redis_url = server.url
                self._redis = [self._redis_part(server)]
                await self._keep_running(group, self._redis, timeout_s=None)
            self._api, self._workers = self._command_parts(self._redis_url)
            await self._keep_running(group, [*self._api, *self._workers], timeout_s=_SETTLE_S)
            if self._wants_dashboard:
                await self._show_dashboard(self._redis_url)
            self._console.release()

    async def _keep_running(self, group: asyncio.TaskGroup, parts: Sequence[Part], *, timeout_s: float | None) -> None:
        """Start ``parts`` together; return when each was ready or failed once, or after ``timeout_s``."""
        for part in parts:
            group.create_task(part.keep_running())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                for part in parts:
                    await part.settled.wait()

    def _redis_part(self, server: EmbeddedServer) -> Part:
        return RedisPart(
            server,
            shown=f"embedded {embedded_version()}, data in {self._settings.data_dir}",
            reaper=self._reaper,
            console=self._console,
            on_start=self._write_run,
        )

    def _command_parts(self, redis_url: str) -> tuple[list[Part], list[Part]]:
        of = self._settings.workers
        make = functools.partial(
            CommandPart,
            settings=self._settings,
            redis_url=redis_url,
            reaper=self._reaper,
            console=self._console,
            on_start=self._write_run,
        )
        return [make("api", "", look=api_look)], [
            make("worker", f"{number} of {of}", look=worker_look) for number in range(1, of + 1)
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

    def _take_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            # what our starter ignores for us (nohup, a shell's background job) stays ignored
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self._on_signal, number)

    def _leave_signals(self) -> None:
        """Everything has ended: one more Ctrl-C must not turn that into a crash."""
        for number in _SIGNALS:
            asyncio.get_running_loop().remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)

    def _on_signal(self, number: signal.Signals) -> None:
        if not self._stop.is_set():
            self._ask_to_stop()
        elif number == signal.SIGINT and time.monotonic() - self._stop_asked_at > _SAME_KEY_S:
            self._end_at_once()

    def _ask_to_stop(self) -> None:
        self._stop_asked_at = time.monotonic()
        self._stop.set()

    def _end_at_once(self) -> None:
        self._forced = True
        self._console.event("killed", "all parts end at once, as asked; queued predictions are kept")
        for part in (*self._workers, *self._api, *self._redis):
            part.kill()
        if self._dashboard is not None:
            self._dashboard.kill()

    async def _drain(self) -> None:
        """Workers, API, dashboard, Redis: each ends before what it needs does."""
        grace_s = self._settings.grace_s
        self._console.release()
        self._console.event("stop", f"draining: what runs gets up to {grace_s:g} s; Ctrl-C ends at once")
        await _stop_all(self._workers, timeout_s=grace_s + MARGIN_S)
        await _stop_all(self._api, timeout_s=grace_s + MARGIN_S)
        if self._dashboard is not None:
            await self._dashboard.stop(timeout_s=_DASHBOARD_STOP_S)
            self._console.uncover()
        await _stop_all(self._redis, timeout_s=_REDIS_STOP_S)

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


async def _stop_all(parts: Sequence[Part], *, timeout_s: float) -> None:
    await asyncio.gather(*(part.stop(timeout_s=timeout_s) for part in parts))


def _first(error: BaseException) -> BaseException:
    """The first real error of a task group's."""
    if isinstance(error, BaseExceptionGroup):
        return _first(cast("BaseExceptionGroup[BaseException]", error).exceptions[0])
    return error
