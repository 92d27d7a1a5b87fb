"""How predictions come to a worker: it claims what waits, and stands idle while nothing does, to be handed what comes.

One thing at a time asks for more, a claim or a report that offers to stand idle again: what is on its way must be known
before more is asked for.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from redis.exceptions import RedisError

from zypher_jobs.errors import RedisUnavailable
from zypher_jobs.queue import keys
from zypher_jobs.queue.backoff import Backoff
from zypher_jobs.queue.connection import redis_errors
from zypher_jobs.queue.rows import Claimed, Finished, Idle, handed_of
from zypher_jobs.queue.scripts import Scripts
from zypher_jobs.queue.wire import Wire
from zypher_jobs.worker.reporter import Reporter

log = logging.getLogger("zypher.worker")

SLOW_POLL_S = 1.0
"""The safety net under being handed what comes: how often an idle worker looks by itself."""
CLAIM_AT_ONCE = 500
"""Predictions in one claim at most: Redis serves nobody else meanwhile."""
_ASK_AGAIN_S = 0.001
"""What was handed over may end at once; then its report offers to stand idle again, which costs less than a claim."""

_COMING_S = 0.05
"""What is on its way is here long before; if not, it was lost."""

Begin = Callable[[Claimed], None]
Places = Callable[[], int]


class Intake:
    """The claims of one worker."""

    def __init__(
        self,
        pool: Any,
        scripts: Scripts,
        reporter: Reporter,
        *,
        worker_id: str,
        queues: Sequence[str],
        lease_ms: int,
        at_once: int,
        stands_idle: bool,
        slow_poll_s: float,
        begin: Begin,
        places: Places,
        runs_suspect: Callable[[], bool],
    ) -> None:
        """``at_once`` predictions run at once; ``places`` says how many more may begin, ``begin`` has them begin."""
        self._runs_suspect = runs_suspect
        self._scripts = scripts
        self._reporter = reporter
        self._worker_id = worker_id
        self._queues = queues
        self._lease_ms = lease_ms
        self._at_once = at_once
        self._stands_idle = stands_idle
        self._slow_poll_s = slow_poll_s
        self._begin = begin
        self._places = places
        self._news = Wire(pool, lost=self._news_lost)
        self._hears = False
        self._is_idle = False
        self._is_asking = False
        self._messages = 0
        self._messages_before = 0
        self._more_waits = True
        self._look = asyncio.Event()
        self._look_at: asyncio.TimerHandle | None = None
        self._pace = Pace()
        self._loop = asyncio.get_running_loop()
        self.is_open = True

    async def run(self) -> None:
        """Until stopped."""
        backoff = Backoff()
        while self.is_open:
            # after an outage what ended is reported before anything new is taken, or it would be taken twice
            if not self._reporter.caught_up.is_set():
                await self._until(self._reporter.caught_up.wait())
                continue
            room = self._room()
            if room <= 0 or self._is_asking:
                await self._rest(self._slow_poll_s)
                continue
            try:
                claimed = await self.claim(room)
            except RedisUnavailable as error:
                log.warning("cannot claim", extra={"error": error.message})
                await self._until(backoff.sleep())
                continue
            backoff.reset()
            if claimed.is_coming:
                await self._rest(_COMING_S)
            elif len(claimed.claims) < room:
                await self._rest(self._slow_poll_s if claimed.next_due_ms is None else claimed.next_due_ms / 1000)
            else:
                await asyncio.sleep(0)  # what began gets its first turn

    async def claim(self, room: int) -> Claimed:
        """Take what is due, up to ``room``, and have it begin; raises ``RedisUnavailable``."""
        was_idle, self._is_idle = self._is_idle, False
        self._asks()
        began_s = time.perf_counter()
        try:
            with redis_errors():
                if self._stands_idle and not self._hears:
                    await self._news.subscribe(keys.work(self._worker_id), self._heard)
                    self._hears = True
                claimed = await self._scripts.claim(
                    queues=self._queues,
                    worker_id=self._worker_id,
                    room=room,
                    lease_ms=self._lease_ms,
                    idle_places=max(0, self._places()) if self._stands_idle and self.is_open else 0,
                    was_idle=was_idle and self._hears,
                    runs_suspect=self._runs_suspect(),
                )
        finally:
            self._is_asking = False
        self._pace.answered(time.perf_counter() - began_s)
        self._is_idle = claimed.is_idle and not self._was_handed_something()
        self._more_waits = len(claimed.claims) == room
        if claimed.claims:
            self._begin(claimed)
        return claimed

    def place_freed(self) -> None:
        """One more may begin."""
        self._pace.ended()
        if self._more_waits:
            self._look.set()

    def offer(self) -> Idle | None:
        """How the worker wants to stand once the report that is about to leave is written, if it wants to."""
        places = self._places()
        if (
            not self._stands_idle
            or not self.is_open
            or not self._hears
            or self._is_idle
            or self._is_asking
            or self._more_waits
            or places <= 0
        ):
            return None
        self._asks()
        return Idle(self._worker_id, self._lease_ms, places, self._queues)

    def offered(self, finished: Finished | None) -> None:
        """What became of an offer; ``None``: it did not get through."""
        self._is_asking = False
        self._is_idle = finished is not None and finished.is_idle and not self._was_handed_something()
        if finished is None or not self._is_idle:
            self._look.set()
        elif finished.next_due_ms is not None:
            self._look_in(finished.next_due_ms / 1000)

    def stop(self) -> None:
        """Ask for nothing more."""
        self.is_open = False
        self._look.set()

    async def withdraw(self) -> None:
        """Stand idle no more; what was handed over until then has begun, or been handed back, when this returns."""
        if self._hears:
            try:
                # over the connection of the messages: all that were sent before come before its reply
                await self._news.call("HDEL", keys.IDLE, self._worker_id)
            except (RedisError, OSError):
                log.debug("what is handed over now comes back when its lease lapses")
        await self._news.aclose()

    def _room(self) -> int:
        # at most half of the places at once: while this half runs, Redis takes in the ends of the other
        places = self._places()
        if self._more_waits:
            # what ends while this claim is under way, and while the next one is: that is sent when this one is here
            places += min(2 * self._pace.ends_soon(), (self._at_once + 1) // 2)
        return min(CLAIM_AT_ONCE, (self._at_once + 1) // 2, places)

    def _asks(self) -> None:
        self._is_asking, self._messages_before = True, self._messages

    def _was_handed_something(self) -> bool:
        """Whether it stands idle no more although the answer says so: the message was faster, on its own connection."""
        return self._messages != self._messages_before or not self._hears

    def _heard(self, message: bytes) -> None:
        self._messages += 1
        self._is_idle = False
        if not message:
            self._look.set()
            return
        self._begin(handed_of(message))
        if self.is_open:
            self._loop.call_later(_ASK_AGAIN_S, self._ask_again)

    def _ask_again(self) -> None:
        if not self._is_idle and not self._is_asking:
            self._look.set()

    def _news_lost(self, error: Exception) -> None:
        del error
        self._hears = self._is_idle = False
        self._look.set()

    async def _rest(self, seconds: float) -> None:
        """Until there may be something to claim, at most so long."""
        self._look_in(max(0.001, min(seconds, self._slow_poll_s)))
        await self._look.wait()
        self._look.clear()
        if self._look_at is not None:
            self._look_at.cancel()
            self._look_at = None

    def _look_in(self, seconds: float) -> None:
        if self._look_at is not None:
            if self._look_at.when() <= self._loop.time() + seconds:
                return
            self._look_at.cancel()
        self._look_at = self._loop.call_later(seconds, self._look.set)

    async def _until(self, what: Awaitable[object]) -> None:
        """Await something that a stop may interrupt."""
        waiting = asyncio.ensure_future(what)
        stopped = asyncio.ensure_future(self._stopped())
        try:
            await asyncio.wait([waiting, stopped], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (waiting, stopped):
                each.cancel()
            await asyncio.wait([waiting, stopped])

    async def _stopped(self) -> None:
        while self.is_open:
            await self._look.wait()
            self._look.clear()


class Pace:
    """How many attempts end while a claim is under way: so many may be claimed beyond the free places."""

    _WEIGHT = 0.3

    def __init__(self) -> None:
        self._answer_s = 0.0
        self._per_s = 0.0
        self._ended = 0
        self._since_s = time.perf_counter()

    def ended(self) -> None:
        """One attempt."""
        self._ended += 1

    def answered(self, took_s: float) -> None:
        """A claim, in so long."""
        now_s = time.perf_counter()
        rate = self._ended / max(1e-6, now_s - self._since_s)
        self._ended, self._since_s = 0, now_s
        self._per_s += self._WEIGHT * (rate - self._per_s)
        self._answer_s += self._WEIGHT * (took_s - self._answer_s)

    def ends_soon(self) -> int:
        """How many end in the time of one claim."""
        return int(self._per_s * self._answer_s)
