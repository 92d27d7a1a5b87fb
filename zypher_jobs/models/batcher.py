"""``Batcher``: predictions of one model meet here, and run as one call of the model where it takes many.

A batch is never held back while the model is idle: it runs with whoever came in the same turn of the event loop. What
comes while it runs is the next batch. ``max_wait_ms`` matters only to a model that runs several batches at once: a free
place waits so long for a fuller batch while another one is running. Who was canceled, or is past the deadline, drops
out before the batch begins. When a batch fails it is split and run again, so that one bad input fails alone.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from zypher_jobs.errors import PredictionFailed
from zypher_jobs.models.batch_size import BatchSize
from zypher_jobs.models.call import Call

Run = Callable[[Sequence[Call]], Awaitable[Sequence[Any]]]


class _Member:
    __slots__ = ("call", "future", "since_s", "timer")

    def __init__(self, call: Call, loop: asyncio.AbstractEventLoop, expire: Callable[["_Member"], None]) -> None:
        self.call = call
        self.future: asyncio.Future[Any] = loop.create_future()
        self.since_s = loop.time()
        self.timer = loop.call_later(call.remaining_s, expire, self)

    @property
    def is_wanted(self) -> bool:
        return not self.future.done()


class Batcher:
    """Runs the calls of one model, ``concurrency`` batches at once; to be used on one event loop."""

    def __init__(
        self,
        run: Run,
        *,
        name: str,
        max_batch_size: int | None,
        concurrency: int,
        max_wait_ms: float | None = None,
    ) -> None:
        """``max_batch_size`` of ``None`` finds the size beyond which batches gain nothing."""
        self.size = BatchSize(max_batch_size)
        self._run = run
        self._name = name
        self._concurrency = concurrency
        self._max_wait_s = (max_wait_ms or 0) / 1000
        self._waiting: deque[_Member] = deque()
        self._batches: set[asyncio.Task[None]] = set()
        self._is_to_start = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """Calls that have not begun."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """Batches under way."""
        return len(self._batches)

    async def run(self, call: Call) -> Any:
        """The output; raises what the model's run raised, ``PredictionTimeout`` at the call's deadline."""
        loop = asyncio.get_running_loop()
        member = _Member(call, loop, self._expire)
        self._waiting.append(member)
        if not self._is_to_start and len(self._batches) < self._concurrency:
            self._is_to_start = True
            loop.call_soon(self._start)  # whoever else comes in this turn of the loop comes along
        try:
            return await member.future
        except asyncio.CancelledError:
            call.cancel()
            raise
        finally:
            member.timer.cancel()

    def _expire(self, member: _Member) -> None:
        if member.is_wanted:
            member.future.set_exception(member.call.timed_out(self._name))
        member.call.cancel()

    def _start(self) -> None:
        """As many batches as there is room for."""
        self._is_to_start = False
        while self._waiting and len(self._batches) < self._concurrency:
            if (hold_s := self._hold_s()) > 0:
                if self._timer is None:
                    self._timer = asyncio.get_running_loop().call_later(hold_s, self._held)
                return
            members = self._next()
            if members:
                batch = asyncio.create_task(self._run_batch(members))
                self._batches.add(batch)
                batch.add_done_callback(self._ended)

    def _hold_s(self) -> float:
        """How much longer the next batch waits to be filled: not at all unless one is running."""
        if not self._batches or not self._max_wait_s or len(self._waiting) >= self.size.limit:
            return 0
        return self._waiting[0].since_s + self._max_wait_s - asyncio.get_running_loop().time()

    def _held(self) -> None:
        self._timer = None
        self._start()

    def _next(self) -> list[_Member]:
        members: list[_Member] = []
        while self._waiting and len(members) < self.size.limit:
            member = self._waiting.popleft()
            if member.is_wanted:
                members.append(member)
        return members

    def _ended(self, batch: asyncio.Task[None]) -> None:
        self._batches.discard(batch)
        self._start()

    async def _run_batch(self, members: Sequence[_Member]) -> None:
        started_s = time.perf_counter()
        waited = bool(self._waiting)
        if await self._run_members(members):
            self.size.learn(len(members), time.perf_counter() - started_s, more_waited=waited)

    async def _run_members(self, members: Sequence[_Member]) -> bool:
        """Whether all went well in one call of the model."""
        try:
            outputs = await self._run([member.call for member in members])
        except Exception as error:  # noqa: BLE001 whatever it is, those who wait for it see it
            await self._failed(members, error)
            return False
        except BaseException as error:
            self._fail(members, error)  # canceled, as when the loop ends: nobody may wait for ever
            raise
        for member, output in zip(members, outputs, strict=True):
            if member.is_wanted:
                member.future.set_result(output)
        return True

    async def _failed(self, members: Sequence[_Member], error: Exception) -> None:
        """It is its own failure if it ran alone; else each half shows whether it is to blame."""
        if len(members) == 1 or not isinstance(error, PredictionFailed):
            self._fail(members, error)
            return
        middle = len(members) // 2
        for half in (members[:middle], members[middle:]):
            wanted = [member for member in half if member.is_wanted]
            if wanted:
                await self._run_members(wanted)

    @staticmethod
    def _fail(members: Sequence[_Member], error: BaseException) -> None:
        for member in members:
            if member.is_wanted:
                member.future.set_exception(error)
