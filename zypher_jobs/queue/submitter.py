"""Submits that arrive while a round trip is under way travel together in the next one."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from zypher_jobs.errors import RedisUnavailable
from zypher_jobs.queue.connection import redis_errors
from zypher_jobs.queue.rows import Submission, Submitted
from zypher_jobs.queue.scripts import Scripts

BATCH = 500
"""Submissions in one script at most: about 5 ms of Redis' time, for which nobody else is served."""
BULK_BATCH = 200
"""The same of a bulk submit: while Redis takes one in, the next is made."""
BULK_AHEAD = 3
"""Batches of a bulk submit under way at once."""


class Submitter:
    """One round trip at a time. The first in a quiet moment sends itself, the others pay a future."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._waiting: list[tuple[Submission, asyncio.Future[Submitted]]] = []
        self._is_busy = False
        self._sending: asyncio.Task[None] | None = None

    async def submit(self, submission: Submission) -> Submitted:
        """Return once Redis has it; raises ``RedisUnavailable``."""
        if self._is_busy:
            future: asyncio.Future[Submitted] = asyncio.get_running_loop().create_future()
            self._waiting.append((submission, future))
            return await future
        self._is_busy = True
        try:
            with redis_errors():
                return (await self._scripts.submit((submission,)))[0]
        except RedisUnavailable as error:
            self._fail(self._waiting, error)  # they have waited for the same answer: nobody waits for two time-outs
            self._waiting = []
            raise
        finally:
            self._is_busy = False
            if self._waiting:
                self._is_busy = True
                self._sending = asyncio.create_task(self._send_all())

    async def submit_many(
        self, count: int, some: Callable[[int, int], Sequence[Submission]]
    ) -> list[tuple[Submission, Submitted]]:
        """Return once Redis has all of ``count``; ``some(start, end)`` makes those of a batch when its turn comes.

        Raises ``RedisUnavailable``: any of them may have been queued.
        """
        done: list[tuple[Submission, Submitted]] = []
        ahead: deque[tuple[Sequence[Submission], asyncio.Task[list[Submitted]]]] = deque()

        async def take_one() -> None:
            batch, sending = ahead.popleft()
            done.extend(zip(batch, await sending, strict=True))

        try:
            with redis_errors():
                for start in range(0, count, BULK_BATCH):
                    batch = some(start, min(count, start + BULK_BATCH))
                    ahead.append((batch, asyncio.create_task(self._scripts.submit(batch))))
                    await asyncio.sleep(0)  # it is on its way
                    if len(ahead) >= BULK_AHEAD:
                        await take_one()
                while ahead:
                    await take_one()
        finally:
            for _, sending in ahead:
                sending.cancel()
            await asyncio.gather(*(sending for _, sending in ahead), return_exceptions=True)
        return done

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                await self._send(batch)
        finally:
            self._is_busy = False

    async def _send(self, batch: list[tuple[Submission, asyncio.Future[Submitted]]]) -> None:
        try:
            with redis_errors():
                submitted = await self._scripts.submit([submission for submission, _ in batch])
        except Exception as error:  # noqa: BLE001  # whatever it is, it is each caller's
            if isinstance(error, RedisUnavailable):
                batch, self._waiting = batch + self._waiting, []
            self._fail(batch, error)
            return
        for (_, future), what in zip(batch, submitted, strict=True):
            if not future.done():
                future.set_result(what)

    @staticmethod
    def _fail(batch: Sequence[tuple[Submission, asyncio.Future[Submitted]]], error: Exception) -> None:
        for _, future in batch:
            if not future.done():
                future.set_exception(error)
