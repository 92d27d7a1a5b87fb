"""``Group``: parts that run together, and what signals do to all of them: reload, drain, end at once."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import cast

from zypher_jobs.errors import ZypherError
from zypher_jobs.settings import Settings, load_settings
from zypher_jobs.supervisor.api import ApiPart, Seats, api_names
from zypher_jobs.supervisor.child import Reaper
from zypher_jobs.supervisor.console import Console
from zypher_jobs.supervisor.parent import MARGIN_S
from zypher_jobs.supervisor.part import Part

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_SAME_KEY_S = 0.3
"""A second signal this soon is the same Ctrl-C: the terminal and a wrapper such as ``uv run`` may both send it."""
_FIXED = ("host", "port", "redis_url", "data_dir", "workers", "api_processes")
"""Settings of the group itself: they take effect when it is started anew."""


class Group(ABC):
    """One supervisor's parts."""

    def __init__(self, settings: Settings, console: Console, listener: socket.socket) -> None:
        self._settings = settings
        self._console = console
        self._seats = Seats(listener)
        self._reaper = Reaper()
        self._stop = asyncio.Event()
        self._stop_asked_at = 0.0
        self._reload = asyncio.Event()
        self._forced = False
        self._had_terminal = _has_terminal()

    async def run(self) -> int:
        """Serve until a signal, an end that ends everything, or an error; then drain. Nothing is left afterwards."""
        self._reaper.install()
        self._take_signals()
        serve = asyncio.create_task(self._serve())
        reload = asyncio.create_task(self._reload_when_asked())
        stopped = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait([serve, stopped], return_when=asyncio.FIRST_COMPLETED)
            if serve.done():
                self._console.hush()  # its error is raised below
        finally:
            for task in (stopped, reload, serve):
                task.cancel()
            await asyncio.wait([serve, reload])
            await self._drain()
            self._leave_signals()
        if not serve.cancelled() and (error := serve.exception()):
            raise _first(error)
        return 128 + signal.SIGINT if self._forced else 0

    @abstractmethod
    async def _serve(self) -> None:
        """Start everything and keep it running, until canceled or until the first start shows that it cannot be."""

    @abstractmethod
    async def _drain(self) -> None:
        """End everything in order."""

    @abstractmethod
    def _parts(self) -> Sequence[Part]:
        """All parts, in the order in which they are to end."""

    @abstractmethod
    def _replaceable(self) -> Sequence[Part]:
        """The parts that a reload replaces, in its order."""

    def _api_parts(self, redis_url: str, *, on_start: Callable[[], None]) -> list[ApiPart]:
        return [
            ApiPart(
                which,
                seats=self._seats,
                settings=self._settings,
                redis_url=redis_url,
                reaper=self._reaper,
                console=self._console,
                on_start=on_start,
            )
            for which in api_names(self._settings.api_processes)
        ]

    async def _keep_running(self, group: asyncio.TaskGroup, parts: Sequence[Part], *, timeout_s: float | None) -> None:
        """Start ``parts`` together; return when each was ready or failed once, or after ``timeout_s``."""
        for part in parts:
            group.create_task(part.keep_running())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                for part in parts:
                    await part.settled.wait()

    async def _stop_all(self, parts: Sequence[Part]) -> None:
        await asyncio.gather(*(part.stop(timeout_s=self._settings.grace_s + MARGIN_S) for part in parts))

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
        if number == signal.SIGHUP and not (self._had_terminal and not _has_terminal()):
            self._reload.set()
        elif not self._stop.is_set():
            self._ask_to_stop()
        elif number != signal.SIGHUP and time.monotonic() - self._stop_asked_at > _SAME_KEY_S:
            self._end_at_once()

    def _ask_to_stop(self) -> None:
        self._stop_asked_at = time.monotonic()
        self._stop.set()

    def _end_at_once(self) -> None:
        self._forced = True
        self._console.event("killed", "all parts end at once, as asked; queued predictions are kept")
        for part in self._parts():
            part.kill()

    async def _reload_when_asked(self) -> None:
        while True:
            await self._reload.wait()
            self._reload.clear()
            if (why := await self._replace_all()) is None:
                self._console.event("reload", "done: every process is new")
            else:
                self._console.event("failed", f"reload given up, what runs goes on: {why}", level=logging.ERROR)

    async def _replace_all(self) -> str | None:
        """One process after the other, each once its successor is ready; why it was given up."""
        try:
            settings = load_settings()
        except ZypherError as error:
            return error.message
        changed = [name for name in _FIXED if getattr(settings, name) not in (getattr(self._settings, name), None)]
        if changed:
            names = ", ".join(f"ZYPHER_{name.upper()}" for name in changed)
            return f"{names} takes effect when it is stopped and started"
        self._console.event("reload", "new processes take over, one after the other")
        for part in self._replaceable():
            if (why := await part.replace(timeout_s=self._settings.grace_s + MARGIN_S)) is not None:
                return f"{part.name}: {why}"
        return None


def _has_terminal() -> bool:
    """Whether this process has a controlling terminal: one that was closed is none."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def _first(error: BaseException) -> BaseException:
    """The first real error of a task group's."""
    if isinstance(error, BaseExceptionGroup):
        return _first(cast("BaseExceptionGroup[BaseException]", error).exceptions[0])
    return error
