"""Reports attempts that ended: one script for all that end while the one before is under way."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from zypher_jobs.errors import RedisUnavailable
from zypher_jobs.queue.backoff import Backoff
from zypher_jobs.queue.connection import redis_errors
from zypher_jobs.queue.rows import Finish, Finished, Idle
from zypher_jobs.queue.scripts import Scripts

Written = Callable[[bool], None]

BATCH = 500
"""Reports in one script at most: Redis serves nobody else meanwhile."""

log = logging.getLogger("zypher.worker")


class Offers(Protocol):
    """Whoever wants to stand idle once a report is written: see ``Intake``."""

    def offer(self) -> Idle | None: ...
    def offered(self, finished: Finished | None) -> None: ...


class Reporter:
    """Writes finishes until they are written: while Redis is away they wait here, and ``caught_up`` is clear."""

    def __init__(self, scripts: Scripts, *, retention_ms: int) -> None:
        self.caught_up = asyncio.Event()
        self.caught_up.set()
        self.offers: Offers | None = None
        self._scripts = scripts
        self._retention_ms = retention_ms
        self._unwritten: list[tuple[Finish, Written]] = []
        self._arrived = asyncio.Event()
        self._all_written = asyncio.Event()
        self._all_written.set()

    @property
    def backlog(self) -> int:
        """Ends that are not on their way yet."""
        return len(self._unwritten)

    def report(self, finish: Finish, written: Written) -> None:
        """Have it written; ``written`` is told whether it was accepted (``False``: the lease was lost)."""
        self._unwritten.append((finish, written))
        self._arrived.set()
        self._all_written.clear()

    async def drained(self) -> None:
        """Until everything reported so far is written."""
        await self._all_written.wait()

    async def run(self) -> None:
        """Write what arrives, until canceled."""
        while True:
            await self._arrived.wait()
            batch, self._unwritten = self._unwritten[:BATCH], self._unwritten[BATCH:]
            if not self._unwritten:
                self._arrived.clear()
            accepted = await self._write([finish for finish, _ in batch])
            self.caught_up.set()
            for (_, written), was_accepted in zip(batch, accepted, strict=True):
                written(was_accepted)
            if not self._unwritten:
                self._all_written.set()

    async def _write(self, finishes: list[Finish]) -> list[bool]:
        backoff = Backoff()
        while True:
            idle = self.offers.offer() if self.offers is not None and not self._unwritten else None
            finished: Finished | None = None
            try:
                with redis_errors():
                    finished = await self._scripts.finish(finishes, retention_ms=self._retention_ms, idle=idle)
            except RedisUnavailable as error:
                self.caught_up.clear()
                log.warning("cannot report", extra={"error": error.message, "predictions": len(finishes)})
            finally:
                if idle is not None and self.offers is not None:
                    self.offers.offered(finished)
            if finished is not None:
                return finished.accepted
            await backoff.sleep()
