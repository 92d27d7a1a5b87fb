"""Submits that arrive while a round trip is under way travel together in the next one."""

import asyncio
from collections.abc import Sequence

from zypher_jobs.errors import RedisUnavailable
from zypher_jobs.queue.connection import redis_errors
from zypher_jobs.queue.scripts import Scripts, Submission, Submitted

BATCH = 500
"""Submissions in one script at most: about 5 ms of Redis' time, for which nobody else is served."""


class Submitter:
    """One round trip at a time. A caller pays one future; the first in a quiet moment waits for nobody."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._waiting: list[tuple[Submission, asyncio.Future[Submitted]]] = []
        self._sending: asyncio.Task[None] | None = None

    async def submit(self, submission: Submission) -> Submitted:
        """Return once Redis has it; raises ``RedisUnavailable``."""
        future: asyncio.Future[Submitted] = asyncio.get_running_loop().create_future()
        self._waiting.append((submission, future))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send_all())
        return await future

    async def submit_many(self, submissions: Sequence[Submission]) -> list[Submitted]:
        """Return once Redis has them all, ``BATCH`` in one round trip; raises ``RedisUnavailable``."""
        submitted: list[Submitted] = []
        for start in range(0, len(submissions), BATCH):
            with redis_errors():
                submitted += await self._scripts.submit(submissions[start : start + BATCH])
        return submitted

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                await self._send(batch)
        finally:
            self._sending = None

    async def _send(self, batch: list[tuple[Submission, asyncio.Future[Submitted]]]) -> None:
        try:
            with redis_errors():
                submitted = await self._scripts.submit([submission for submission, _ in batch])
        except Exception as error:  # noqa: BLE001  # whatever it is, it is each caller's
            if isinstance(error, RedisUnavailable):
                # those that came meanwhile have waited for the same answer: nobody waits for two time-outs
                batch, self._waiting = batch + self._waiting, []
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), what in zip(batch, submitted, strict=True):
            if not future.done():
                future.set_result(what)
