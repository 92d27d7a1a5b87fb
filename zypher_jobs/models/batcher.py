"""``Batcher``: predictions of one model meet here, and run as one call of the model where it takes many.

A batch is never held back while the model is idle: it runs with whoever came in the same turn of the event loop. What
comes while it runs is the next batch. ``max_wait_ms`` matters only to a model that runs several batches at once: a free
place waits so long for a fuller batch while another one is running. Who was canceled, or is past the deadline, drops
out before the batch begins. When a batch fails it is split and run again, so that one bad input fails alone; not where
no input is to blame.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from zypher_jobs.errors import ModelError, PredictionCanceled, PredictionFailed, PredictionTimeout, RemoteUnavailable
from zypher_jobs.models.batch_counts import BatchCounts
from zypher_jobs.models.batch_size import BatchSize
from zypher_jobs.models.call import Call
from zypher_jobs.models.pace import Pace

Run = Callable[[Sequence[Call]], Awaitable[Sequence[Any]]]

_OF_NO_INPUT = (RemoteUnavailable, PredictionTimeout)
"""A batch that failed so would fail again, later."""
TICK_S = 0.001
"""Of uvloop's clock: a timer for less than that would fire, find that it is not yet time, and be set again."""


class _Member:
    __slots__ = ("call", "future", "since_s", "timer")

    def __init__(self, call: Call, loop: asyncio.AbstractEventLoop, expire: Callable[["_Member"], None]) -> None:
        self.call = call
        self.future: asyncio.Future[Any] = loop.create_future()
        self.since_s = loop.time()
        self.timer = loop.call_later(call.remaining_s, expire, self)


class Batcher:
    """Runs the calls of one model, ``concurrency`` batches at once; to be used on one event loop."""

    __slots__ = (
        "_concurrency",
        "_is_starting",
        "_max_wait_s",
        "_name",
        "_pace",
        "_run",
        "_size",
        "_tasks",
        "_timer",
        "_waiting",
        "counts",
        "running",
    )

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
        self.counts = BatchCounts()
        self.running = 0
        """Batches under way."""
        self._run = run
        self._name = name
        self._size = BatchSize(max_batch_size)
        self._concurrency = concurrency
        self._max_wait_s = (max_wait_ms or 0) / 1000
        # by their order of coming; who drops out leaves at once, or a model that hangs would keep every input there was
        self._waiting: OrderedDict[_Member, None] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_starting = False
        """Whether a batch is about to take who waits."""
        self._timer: asyncio.TimerHandle | None = None
        self._pace = Pace()

    @property
    def per_s(self) -> float:
        """Calls that can be run in a second, as the last batches went; 0 before the first."""
        each_s = self._pace.each_s
        return self._concurrency / each_s if each_s else 0.0

    @property
    def enough(self) -> int:
        """As many that wait keep the model busy: the next batch of each place is full."""
        return self._concurrency * self._size.limit

    @property
    def limit(self) -> int:
        """The largest batch at present."""
        return self._size.limit

    @property
    def waiting(self) -> int:
        """Calls that have not begun."""
        return len(self._waiting)

    async def run(self, call: Call) -> Any:
        """The output; raises what the model's run raised, ``PredictionTimeout`` at the call's deadline."""
        member = _Member(call, asyncio.get_running_loop(), self._expire)
        self._waiting[member] = None
        self._start()
        try:
            return await member.future
        except asyncio.CancelledError:
            self._waiting.pop(member, None)
            call.cancel()
            raise
        finally:
            member.timer.cancel()

    def _expire(self, member: _Member) -> None:
        self._waiting.pop(member, None)
        _fail(member, member.call.timed_out(self._name))
        member.call.cancel()

    def _start(self) -> None:
        """A batch, if anybody waits and there is room. It takes them a turn of the loop later: more may have come."""
        if self._is_starting or not self._waiting or self.running >= self._concurrency:
            return
        loop = asyncio.get_running_loop()
        hold_s = self._hold_s(loop.time())
        if hold_s > TICK_S:
            if self._timer is None:
                self._timer = loop.call_later(hold_s, self._held)
            return
        self._is_starting = True
        self.running += 1
        task = loop.create_task(self._run_batch())
        self._tasks.add(task)  # the loop itself would not keep it alive
        task.add_done_callback(self._tasks.discard)

    def _hold_s(self, now_s: float) -> float:
        """How much longer the next batch waits to be filled: not at all unless one is running."""
        if not self.running or not self._max_wait_s or len(self._waiting) >= self._size.limit:
            return 0
        return next(iter(self._waiting)).since_s + self._max_wait_s - now_s

    def _held(self) -> None:
        self._timer = None
        self._start()

    def _take(self) -> list[_Member]:
        """The members of the next batch."""
        members: list[_Member] = []
        while self._waiting and len(members) < self._size.limit:
            member, _ = self._waiting.popitem(last=False)
            if member.call.canceled:
                _fail(member, PredictionCanceled("The prediction was canceled."))
            elif not member.future.done():
                members.append(member)
        return members

    async def _run_batch(self) -> None:
        self._is_starting = False
        members = self._take()
        more_waited = bool(self._waiting)
        self._start()  # who was too many for this one
        if members:
            self.counts.waited(asyncio.get_running_loop().time() - members[0].since_s)
        outputs: Sequence[Any] = ()
        started_s = time.perf_counter()
        try:
            outputs = await self._outputs(members)
            took_s = time.perf_counter() - started_s
            if outputs:
                self._size.learn(len(members), took_s, more_waited=more_waited)
            if members:
                self._pace.learn(len(members), took_s)
        except BaseException:
            for member in members:
                member.future.cancel()  # the loop ends: nobody may wait for ever
            raise
        finally:
            self.running -= 1
            # before its members are told: they would write their answers first, while the model has nothing to do
            self._start()
        _tell(members, outputs)

    async def _outputs(self, members: Sequence[_Member]) -> Sequence[Any]:
        """Of one call of the model; none where that failed: then every member has been told its own end."""
        if not members:
            return ()
        self.counts.add(len(members))
        try:
            outputs = await self._run([member.call for member in members])
            if len(outputs) != len(members):
                raise ModelError(f"Model {self._name!r} gave {len(outputs)} outputs for {len(members)} inputs.")
        except Exception as error:  # noqa: BLE001 whatever it is, those who wait for it see it
            may_be_one = isinstance(error, PredictionFailed) and not isinstance(error, _OF_NO_INPUT)
            if len(members) > 1 and may_be_one:
                await self._split(members)
            else:
                for member in members:
                    _fail(member, error)
            return ()
        return outputs

    async def _split(self, members: Sequence[_Member]) -> None:
        """Run the halves: each shows whether it is to blame."""
        middle = len(members) // 2
        for half in (members[:middle], members[middle:]):
            wanted = [member for member in half if not member.future.done()]
            _tell(wanted, await self._outputs(wanted))


def _tell(members: Iterable[_Member], outputs: Iterable[Any]) -> None:
    for member, output in zip(members, outputs, strict=False):
        if not member.future.done():
            member.future.set_result(output)


def _fail(member: _Member, error: Exception) -> None:
    if not member.future.done():
        member.future.set_exception(error)
