"""A part of a running Zypher: started, watched, started again when it dies, replaced and ended when asked."""

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from zypher_jobs.errors import StartError, ZypherError
from zypher_jobs.processes import describe_exit
from zypher_jobs.supervisor.console import Console

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
STABLE_AFTER_S = 30.0
"""A part that was ready and lived this long starts with the first delay again."""
_SLOW_AFTER_S = 15.0
_POLL_S = 0.05
_REPLACE_WAIT_S = 600.0
"""How long a process may take to load its models, before the one that it was to replace goes on for good."""


class Running(Protocol):
    """A started process, as a part sees it."""

    @property
    def pid(self) -> int:
        """The process id."""
        ...

    @property
    def last_lines(self) -> Sequence[str]:
        """The last that it said, for people."""
        ...

    async def wait(self) -> int:
        """The exit code, once it has ended."""
        ...

    def terminate(self) -> None:
        """SIGTERM."""
        ...

    def kill(self) -> None:
        """SIGKILL."""
        ...


class Part(ABC):
    """One process that ought to run.

    ``kind`` and ``which`` name it for people: ``worker`` and ``1 of 2``; ``which`` is empty when there is one only.
    """

    def __init__(self, kind: str, which: str, *, console: Console, on_start: Callable[[], None]) -> None:
        self.kind = kind
        self.name = f"{kind} {which}".strip()
        self.process: Running | None = None
        self.settled = asyncio.Event()
        """Set once it was ready, or has ended without."""
        self._which = which
        self._others: set[Running] = set()
        """Beside ``process``: one that is to take its place, or that has left it and drains."""
        self._replaced = asyncio.Event()
        self._console = console
        self._on_start = on_start
        self._ready_at = 0.0

    @abstractmethod
    def start(self, *, replaces: bool = False) -> Running:
        """Start a process and return at once. Raises ``ZypherError`` or ``OSError``.

        One that ``replaces`` another begins its work when it is ready, and ends if it cannot do all of it.
        """

    @abstractmethod
    async def look(self, process: Running) -> str | None:
        """What to say of it once it is ready; ``None`` until then."""

    @abstractmethod
    def refusal(self, code: int, last_line: str) -> ZypherError | None:
        """Why ``zypher up`` must not go on, when the very first start ended with ``code``; ``None``: try again."""

    async def keep_running(self) -> None:
        """Start it, and again whenever it ends, until canceled. The process lives on then: see ``stop``.

        Raises ``ZypherError`` when its first start shows that it cannot run.
        """
        delay_s = FIRST_DELAY_S
        while True:
            how = await self._run_once()
            if self._ready_at and time.monotonic() - self._ready_at >= STABLE_AFTER_S:
                delay_s = FIRST_DELAY_S
            before = "" if self._ready_at else " before it was ready"
            lines = list(self.process.last_lines) if self.process and not self._ready_at else []
            self.process = None
            self._console.event(
                "failed",
                f"{how}{before}; starting it again in {delay_s:g} s" + "".join(f"\n  {line}" for line in lines),
                about=self.name,
                level=logging.WARNING,
            )
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, LONGEST_DELAY_S)

    async def replace(self, *, timeout_s: float) -> str | None:
        """Start another process, and let the present one drain once that is ready; why not, if it does not come up.

        ``timeout_s`` is what the present one gets to drain.
        """
        try:
            process = self.start(replaces=True)
        except (ZypherError, OSError) as error:
            return f"cannot be started: {error}"
        self._others.add(process)
        looking = asyncio.create_task(self._wait_ready(process))
        ending = asyncio.create_task(process.wait())
        try:
            await asyncio.wait([looking, ending], timeout=_REPLACE_WAIT_S, return_when=asyncio.FIRST_COMPLETED)
            is_ready = looking.done() and not ending.done()
            text = looking.result() if is_ready else ""
        finally:
            await _cancel(looking)
            ending.cancel()
        if not is_ready:
            why = self._why_not(process)
            await self._retire(process, timeout_s=timeout_s)
            self._others.discard(process)
            return why
        self._others.discard(process)
        before, self.process = self.process, process
        self._replaced.set()
        self._say_ready(text)
        self._on_start()
        if before is not None:
            self._others.add(before)
            await self._retire(before, timeout_s=timeout_s)
            self._others.discard(before)
        return None

    async def stop(self, *, timeout_s: float) -> None:
        """Let it drain; end it by force after ``timeout_s``, and say so."""
        processes = self._processes()
        if not processes:
            return
        await asyncio.gather(*(self._retire(process, timeout_s=timeout_s) for process in processes))
        self.process = None
        self._console.event("stop", "ended", about=self.name)

    def kill(self) -> None:
        """End it at once."""
        for process in self._processes():
            process.kill()

    def _processes(self) -> list[Running]:
        return [*self._others, *([self.process] if self.process is not None else [])]

    async def _retire(self, process: Running, *, timeout_s: float) -> None:
        process.terminate()
        try:
            async with asyncio.timeout(timeout_s):
                await process.wait()
        except TimeoutError:
            self._console.event("killed", f"did not end within {timeout_s:g} s", about=self.name, level=logging.WARNING)
            process.kill()
            await process.wait()

    async def _run_once(self) -> str:
        """Run the process to its end; how it ended, in words."""
        self._replaced.clear()
        if self.process is None:  # else one has taken over since the last ended
            self._ready_at = 0.0
            try:
                self.process = self.start()
            except (ZypherError, OSError) as error:
                if not self.settled.is_set():
                    raise StartError(f"{self.name} cannot be started: {error}") from error
                return f"cannot be started: {error}"
            self._on_start()
        process = self.process
        watch = asyncio.create_task(self._become_ready(process))
        try:
            process, code = await self._end()
        finally:
            await _cancel(watch)
        if not self.settled.is_set() and (error := self.refusal(code, "".join(process.last_lines[-1:]))):
            raise error
        self.settled.set()
        return describe_exit(code)

    async def _end(self) -> tuple[Running, int]:
        """The process that was this part's when it ended, and its exit code."""
        while (process := self.process) is not None:
            ending = asyncio.create_task(process.wait())
            replaced = asyncio.create_task(self._replaced.wait())
            try:
                await asyncio.wait([ending, replaced], return_when=asyncio.FIRST_COMPLETED)
            finally:
                ending.cancel()
                replaced.cancel()
            self._replaced.clear()
            if process is self.process:
                return process, await process.wait()
        raise RuntimeError("a part without a process ran")

    async def _become_ready(self, process: Running) -> None:
        if self._ready_at:
            return
        text = await self._wait_ready(process)
        if process is self.process:
            self._say_ready(text)

    async def _wait_ready(self, process: Running) -> str:
        slow_at = time.monotonic() + _SLOW_AFTER_S
        while (text := await self.look(process)) is None:
            if time.monotonic() > slow_at:
                slow_at += 4 * _SLOW_AFTER_S
                self._console.event("slow", "is not ready yet; waiting on", about=self.name, level=logging.WARNING)
            await asyncio.sleep(_POLL_S)
        return text

    def _say_ready(self, text: str) -> None:
        self._ready_at = time.monotonic()
        self._console.ready(self.kind, ", ".join(filter(None, (self._which, text))))
        self.settled.set()

    def _why_not(self, process: Running) -> str:
        said = "".join(f": {line}" for line in process.last_lines[-1:])
        return f"the new process did not become ready{said}"


async def _cancel(task: asyncio.Task[Any]) -> None:
    """More than once: a client of redis-py that is being closed swallows a cancellation."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_POLL_S)
