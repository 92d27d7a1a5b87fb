"""``KeyLimits``: what a key may ask for, in this process, out of what Redis grants to all of them.

A request counts when it comes. A prediction counts when it is about to begin: what is wrong with it, or was answered
before, costs none, and where it is refused then (a full queue, a model that has too much to do or is not ready) its
permit goes back to Redis, behind the answer.

Permits come in handfuls: as many as this process used of a rate in the last 50 ms, but no more than are earned in that
time, and the next ones are fetched while the last are used. So a key that asks much pays no round trip, one that asks
rarely is counted exactly, and together they never get more than the rate, whatever the number of processes: only Redis
grants. Permits that are not used within ``KEPT_S`` lapse.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from types import TracebackType
from typing import Any

from litestar.types import Scope

from zypher_api.keyring import Caller
from zypher_api.permits import Account, Pool
from zypher_jobs.errors import CapacityError, ModelNotReady, QueueFull, RedisUnavailable, TooManyAtOnce
from zypher_jobs.queue.limits import Granted, Limits, Returned, Wanted

KEPT_S = 0.25
AWAY_S = 2.0
"""After a failure of Redis, this process keeps the whole rate by itself for so long before it asks again."""
FULL_S = 0.1
"""After a refusal of places, others are refused for so long without asking."""
ACCOUNTS_KEPT = 10_000

REFUSALS = (CapacityError, ModelNotReady)
"""With these nothing has begun."""
_UNBOUNDED = nullcontext()


class KeyLimits:
    """Over ``Limits``; made once for a process."""

    def __init__(self, limits: Limits, *, longest_run_s: float) -> None:
        self._limits = limits
        self._longest_run_ms = int(longest_run_s * 1000)
        self._accounts: dict[str, Account] = {}
        self._alone_until_s = 0.0
        self._full_until_s: dict[str, float] = {}
        self._returning: set[asyncio.Task[None]] = set()

    async def request(self, scope: Scope, caller: Caller, *, predicts: bool = False) -> None:
        """Count one request; the answer will say how things stand.

        Raises ``RateLimited``. With ``predicts`` also where it is known that a prediction would be refused.
        """
        account = self._accounts.get(caller.key_id)
        if account is None or account.caller is not caller:
            account = self._opened(caller, account)
        scope["state"]["limits"] = account
        now_s = time.monotonic()
        if (pool := account.requests) is not None and (more := pool.spend(1, now_s)) <= 0:
            await self._more(pool, 1, more, now_s)
        if predicts and (pool := account.predictions) is not None and now_s < pool.refused_until_s:
            pool.check(1, now_s)

    async def predictions(self, scope: Scope, caller: Caller, count: int) -> None:
        """Count predictions that are about to begin, of a request that was; ``queueing`` counts those that it queues.

        Raises ``RateLimited``.
        """
        if caller.predictions is not None and count:
            pool: Pool = scope["state"]["limits"].predictions
            now_s = time.monotonic()
            if (more := pool.spend(count, now_s)) <= 0:
                await self._more(pool, count, more, now_s)

    async def _more(self, pool: Pool, count: int, spent: int, now_s: float) -> None:
        """There was the last one, or there was none."""
        if spent < 0:
            await self._wait(pool, count, now_s)
        else:
            self._fill(pool, 1)

    def running(self, caller: Caller, prediction_id: str) -> AbstractAsyncContextManager[None]:
        """A place while a prediction runs in this process. Raises ``TooManyAtOnce``."""
        return _UNBOUNDED if caller.concurrent is None else self._running(caller, prediction_id)

    def queueing(self, scope: Scope, caller: Caller, ids: Sequence[str]) -> AbstractAsyncContextManager[None]:
        """Count predictions that the block queues, and give them places: free when they end, or could not be queued.

        Raises ``RateLimited``, ``TooManyAtOnce``.
        """
        if caller.concurrent is None and caller.predictions is None:
            return _UNBOUNDED
        return _Queueing(self, scope, caller, ids)

    @asynccontextmanager
    async def _running(self, caller: Caller, prediction_id: str) -> AsyncGenerator[None]:
        await self.take_places(caller, [prediction_id])
        try:
            yield
        finally:
            self.free_places(caller, [prediction_id])

    def give_back(self, caller: Caller, ids: Sequence[str]) -> None:
        """What predictions had that the block could not queue, though it queued others."""
        self.free_places(caller, ids)
        self.uncount(caller, len(ids))

    async def aclose(self) -> None:
        """Give back what is to be given back, and close the connection."""
        while self._returning:
            await asyncio.wait(self._returning)
        await self._limits.aclose()

    async def take_places(self, caller: Caller, ids: Sequence[str]) -> None:
        """For predictions that are about to begin; raises ``TooManyAtOnce``."""
        if caller.concurrent is None or not ids:
            return
        now_s = time.monotonic()
        if now_s < self._full_until_s.get(caller.key_id, 0):
            raise _too_many(caller)
        most, longest_run_ms = caller.concurrent, self._longest_run_ms
        try:
            if await self._limits.take_places(caller.key_id, ids, most=most, longest_run_ms=longest_run_ms):
                return
        except RedisUnavailable:
            return  # what runs here is answered all the same, and what is queued is refused for that reason
        if len(self._full_until_s) > ACCOUNTS_KEPT:
            self._full_until_s.clear()
        self._full_until_s[caller.key_id] = now_s + FULL_S
        raise _too_many(caller)

    def free_places(self, caller: Caller, ids: Sequence[str]) -> None:
        """Redis learns it behind the answer."""
        if caller.concurrent is not None and ids:
            self._full_until_s.pop(caller.key_id, None)
            self._behind(self._free(caller.key_id, ids))

    def uncount(self, caller: Caller, count: int) -> None:
        """Predictions were counted and not begun. While Redis is told of some, more come together."""
        account = self._accounts.get(caller.key_id) if count else None
        if account is not None and (pool := account.predictions) is not None:
            pool.give_back(count)
            if pool.returning is None:
                pool.returning = self._behind(self._return(pool))

    def _behind(self, what: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(what)
        self._returning.add(task)
        task.add_done_callback(self._returning.discard)
        return task

    def _opened(self, caller: Caller, before: Account | None) -> Account:
        """The account of a key that is new here, or has changed."""
        if len(self._accounts) >= ACCOUNTS_KEPT:
            self._accounts.clear()
        account = self._accounts[caller.key_id] = Account(caller, before)
        return account

    async def _wait(self, pool: Pool, count: int, now_s: float) -> None:
        """Until there are so many permits, or it is known that there are not."""
        if count > pool.amount:
            raise pool.refusal(count, now_s)
        pool.waiting += count
        try:
            while pool.spend(count, now_s) < 0:
                pool.check(count, now_s)
                await asyncio.shield(self._fill(pool, count))
                now_s = time.monotonic()
        finally:
            pool.waiting -= count

    def _fill(self, pool: Pool, least: int) -> asyncio.Task[None]:
        if pool.filling is None:
            pool.filling = asyncio.create_task(self._fetch(pool, least))
        return pool.filling

    async def _fetch(self, pool: Pool, least: int) -> None:
        now_s = time.monotonic()
        kept = pool.permits if now_s <= pool.lapses_at_s else 0
        wanted, least = max(pool.demand(now_s), least), max(1, least - kept)
        try:
            granted = await self._granted(pool, wanted, least, now_s)
        finally:
            pool.filling = None
        now_s = time.monotonic()
        # those that were there are at most as old as the ones that come
        pool.permits = granted.permits + (pool.permits if now_s <= pool.lapses_at_s else 0)
        pool.lapses_at_s = now_s + KEPT_S
        pool.left = granted.left
        pool.full_at_s = now_s + granted.full_ms / 1000
        if granted.permits == 0:
            pool.refused_until_s, pool.refused = now_s + granted.missing_ms / 1000, least
            pool.refused_at_s = now_s

    async def _granted(self, pool: Pool, wanted: int, least: int, now_s: float) -> Granted:
        if now_s >= self._alone_until_s:
            with suppress(RedisUnavailable):
                asked = Wanted(pool.name, pool.amount, pool.period_ms, wanted, least)
                return (await self._limits.take_permits([asked]))[0]
            self._alone_until_s = time.monotonic() + AWAY_S
        return pool.take_alone(wanted, now_s)

    async def _return(self, pool: Pool) -> None:
        try:
            while pool.unused:
                count, pool.unused = pool.unused, 0
                if time.monotonic() >= self._alone_until_s:
                    with suppress(RedisUnavailable):
                        await self._limits.return_permits(Returned(pool.name, pool.amount, pool.period_ms, count))
                        count = 0
                pool.return_alone(count)
                pool.refused_until_s = 0.0
        finally:
            pool.returning = None

    async def _free(self, key_id: str, ids: Sequence[str]) -> None:
        with suppress(RedisUnavailable):  # they lapse
            await self._limits.free_places(key_id, ids)


class _Queueing:
    """See ``KeyLimits.queueing``. By hand: as a generator it would cost every submit 2 µs."""

    __slots__ = ("_caller", "_ids", "_limits", "_scope")

    def __init__(self, limits: KeyLimits, scope: Scope, caller: Caller, ids: Sequence[str]) -> None:
        self._limits, self._scope, self._caller, self._ids = limits, scope, caller, ids

    async def __aenter__(self) -> None:
        await self._limits.predictions(self._scope, self._caller, len(self._ids))
        try:
            await self._limits.take_places(self._caller, self._ids)
        except TooManyAtOnce:
            self._limits.uncount(self._caller, len(self._ids))
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if error is not None:
            self._limits.free_places(self._caller, self._ids)
        if isinstance(error, REFUSALS):
            self._limits.uncount(self._caller, len(self._ids) - (error.queued if isinstance(error, QueueFull) else 0))


def _too_many(caller: Caller) -> TooManyAtOnce:
    return TooManyAtOnce(
        f"The key {caller.name!r} may have {caller.concurrent:,} predictions waiting and running at once, and has "
        "them; try again in 1 s.",
        retry_after_s=1,
    )
