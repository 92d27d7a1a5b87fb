"""``KeyLimits``: what a key may ask for, in this process, out of what Redis grants to all of them.

Permits come in handfuls: as many as this process used of a rate in the last 50 ms, but no more than are earned in that
time, and the next ones are fetched while the last are used. So a key that asks much pays no round trip, one that asks
rarely is counted exactly, and together they never get more than the rate, whatever the number of processes: only Redis
grants. Permits that are not used within ``KEPT_S`` lapse.
"""

import asyncio
import math
import re
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from typing import Literal

from litestar.types import Scope

from zypher_api.keyring import Caller
from zypher_jobs.errors import RateLimited, RedisUnavailable, TooManyAtOnce
from zypher_jobs.queue.limits import Granted, Limits, Wanted

What = Literal["requests", "predictions"]

KEPT_S = 0.25
AHEAD_S = 0.05
"""What was used in so long is fetched at once."""
AWAY_S = 2.0
"""After a failure of Redis, this process keeps the whole rate by itself for so long before it asks again."""
FULL_S = 0.1
"""After a refusal of places, others are refused for so long without asking."""
ACCOUNTS_KEPT = 10_000

_UNBOUNDED = nullcontext()
_UNITS_MS = {"s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}


def parse_rate(text: str) -> tuple[int, int]:
    """``100/s``, ``5/10s`` → how many, in so many ms."""
    match = re.fullmatch(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,4})?(s|min|h|d)", text)
    if match is None:
        raise ValueError(f"no rate: {text!r}")
    return int(match[1]), int(match[2] or 1) * _UNITS_MS[match[3]]


class _Pool:
    """Permits of one rate of one key."""

    def __init__(self, caller: Caller, what: What, rate: str) -> None:
        self.key_name, self.what, self.rate = caller.name, what, rate
        self.name = f"{caller.key_id}:{what}"
        self.amount, self.period_ms = parse_rate(rate)
        self.policy = b'"%b";q=%d;w=%d' % (what.encode(), self.amount, math.ceil(self.period_ms / 1000))
        self._form = b'"%b";r=%%d;t=%%d' % what.encode()
        self.permits = 0
        self.left = self.amount
        self.full_at_s = 0.0
        self.lapses_at_s = 0.0
        self.refused_until_s = 0.0
        """For whoever wants ``refused`` or more."""
        self.refused = 0
        self.used = 0
        """Since ``used_since_s``."""
        self.used_before = 0
        """In ``AHEAD_S`` before that."""
        self.used_since_s = 0.0
        self.waiting = 0
        """Permits that requests wait for."""
        self.earned_s = 0.0
        """The same number as in Redis, while that is away."""
        self.filling: asyncio.Task[None] | None = None

    def spend(self, count: int, now_s: float) -> bool:
        """Whether there were so many, and are fewer now."""
        if self.permits < count or now_s > self.lapses_at_s:
            return False
        self.permits -= count
        self.used += count
        return True

    def standing(self, now_s: float) -> bytes:
        """What is left here and elsewhere, and the seconds until all is back."""
        full_s = self.full_at_s - now_s
        return self._form % (self.left + self.permits, full_s + 1 if full_s > 0 else 0)

    def demand(self, now_s: float) -> int:
        """How many to fetch."""
        over_s = now_s - self.used_since_s
        if over_s > AHEAD_S:
            self.used_before, self.used, self.used_since_s = int(self.used * AHEAD_S / over_s), 0, now_s
        earned = int(self.amount * AHEAD_S * 1000 / self.period_ms)  # more would be lost to others where it lapses
        return max(self.waiting, min(max(self.used, self.used_before), earned), 1)

    def take_alone(self, wanted: int, now_s: float) -> Granted:
        """As ``take_permits.lua``, for this process alone."""
        each_s = self.period_ms / 1000 / self.amount
        earned_s = max(now_s, self.earned_s)
        left = math.floor((now_s + self.period_ms / 1000 - earned_s) / each_s + 0.001)
        granted = min(left, wanted)
        self.earned_s = earned_s + granted * each_s
        missing_ms = 0 if granted else math.ceil(each_s * 1000)
        return Granted(granted, left - granted, missing_ms, math.ceil((self.earned_s - now_s) * 1000))

    def refusal(self, count: int, now_s: float) -> RateLimited:
        """What whoever asks for too many is told."""
        every = self.rate.partition("/")[2]
        if count > self.amount:
            return RateLimited(
                f"The key {self.key_name!r} may ask for {self.amount:,} {self.what} in {every}, and this is "
                f"{count:,} at once; send fewer.",
                retry_after_s=math.ceil(self.period_ms / 1000),
            )
        wait_s = max(0.001, self.refused_until_s - now_s)
        return RateLimited(
            f"The key {self.key_name!r} may ask for {self.amount:,} {self.what} in {every}; try again in "
            f"{math.ceil(wait_s)} s.",
            retry_after_s=wait_s,
        )


class _Account:
    """The pools of one key."""

    def __init__(self, caller: Caller, before: "_Account | None") -> None:
        """``before``: the account of the same key as it was seen last; a rate that is the same goes on."""
        self.caller = caller
        self.requests = _pool(caller, "requests", caller.requests, before and before.requests)
        self.predictions = _pool(caller, "predictions", caller.predictions, before and before.predictions)
        self._pools = [pool for pool in (self.requests, self.predictions) if pool is not None]
        self._policy = (b"ratelimit-policy", b", ".join(pool.policy for pool in self._pools))

    def standing(self, now_s: float) -> list[tuple[bytes, bytes]]:
        """``RateLimit`` and its policy (draft-ietf-httpapi-ratelimit-headers)."""
        return [self._policy, (b"ratelimit", b", ".join([pool.standing(now_s) for pool in self._pools]))]


def _pool(caller: Caller, what: What, rate: str | None, before: _Pool | None) -> _Pool | None:
    if rate is None or (before is not None and before.rate == rate):
        return before if rate is not None else None
    return _Pool(caller, what, rate)


class KeyLimits:
    """Over ``Limits``; made once for a process."""

    def __init__(self, limits: Limits, *, longest_run_s: float) -> None:
        self._limits = limits
        self._longest_run_ms = int(longest_run_s * 1000)
        self._accounts: dict[str, _Account] = {}
        self._alone_until_s = 0.0
        self._full_until_s: dict[str, float] = {}
        self._freeing: set[asyncio.Task[None]] = set()

    async def request(self, scope: Scope, caller: Caller, *, predictions: int = 0) -> None:
        """Count one request that asks for so many predictions; the answer will say how things stand.

        Raises ``RateLimited``.
        """
        await self._count(scope, self._account(caller), requests=1, predictions=predictions)

    async def predictions(self, scope: Scope, caller: Caller, count: int) -> None:
        """Count predictions of a request that was counted already. Raises ``RateLimited``."""
        if caller.predictions is not None:
            await self._count(scope, self._account(caller), requests=0, predictions=count)

    async def _count(self, scope: Scope, account: "_Account", *, requests: int, predictions: int) -> None:
        now_s = time.monotonic()
        try:
            for pool, count in ((account.requests, requests), (account.predictions, predictions)):
                if pool is not None and count:
                    if pool.spend(count, now_s):
                        if pool.permits * 3 <= pool.used_before:
                            self._fill(pool, 1)
                    else:
                        await self._wait(pool, count, now_s)
        finally:
            scope["state"]["limits"] = account.standing(now_s)

    def running(self, caller: Caller, prediction_id: str) -> AbstractAsyncContextManager[None]:
        """A place while a prediction runs in this process. Raises ``TooManyAtOnce``."""
        return _UNBOUNDED if caller.concurrent is None else self._running(caller, prediction_id)

    def queueing(self, caller: Caller, ids: Sequence[str]) -> AbstractAsyncContextManager[None]:
        """Places for predictions that the block queues; they are free when those end, or could not be queued.

        Raises ``TooManyAtOnce``.
        """
        return _UNBOUNDED if caller.concurrent is None else self._queueing(caller, ids)

    @asynccontextmanager
    async def _running(self, caller: Caller, prediction_id: str) -> AsyncGenerator[None]:
        await self._take_places(caller, [prediction_id])
        try:
            yield
        finally:
            self._free_places(caller, [prediction_id])

    @asynccontextmanager
    async def _queueing(self, caller: Caller, ids: Sequence[str]) -> AsyncGenerator[None]:
        await self._take_places(caller, ids)
        try:
            yield
        except BaseException:
            self._free_places(caller, ids)
            raise

    def give_back(self, caller: Caller, ids: Sequence[str]) -> None:
        """Places of predictions that the block could not queue, though it queued others."""
        if caller.concurrent is not None and ids:
            self._free_places(caller, ids)

    async def aclose(self) -> None:
        """Give back what is to be given back, and close the connection."""
        if self._freeing:
            await asyncio.wait(self._freeing)
        await self._limits.aclose()

    async def _take_places(self, caller: Caller, ids: Sequence[str]) -> None:
        now_s = time.monotonic()
        if now_s < self._full_until_s.get(caller.key_id, 0):
            raise _too_many(caller)
        most = caller.concurrent or 0
        try:
            if await self._limits.take_places(caller.key_id, ids, most=most, longest_run_ms=self._longest_run_ms):
                return
        except RedisUnavailable:
            return  # what runs here is answered all the same, and what is queued is refused for that reason
        if len(self._full_until_s) > ACCOUNTS_KEPT:
            self._full_until_s.clear()
        self._full_until_s[caller.key_id] = now_s + FULL_S
        raise _too_many(caller)

    def _free_places(self, caller: Caller, ids: Sequence[str]) -> None:
        """Redis learns it behind the answer."""
        self._full_until_s.pop(caller.key_id, None)
        task = asyncio.create_task(self._free(caller.key_id, ids))
        self._freeing.add(task)
        task.add_done_callback(self._freeing.discard)

    def _account(self, caller: Caller) -> "_Account":
        account = self._accounts.get(caller.key_id)
        if account is None or account.caller is not caller:
            if len(self._accounts) >= ACCOUNTS_KEPT:
                self._accounts.clear()
            account = self._accounts[caller.key_id] = _Account(caller, account)
        return account

    async def _wait(self, pool: _Pool, count: int, now_s: float) -> None:
        """Until there are so many permits, or it is known that there are not."""
        if count > pool.amount:
            raise pool.refusal(count, now_s)
        pool.waiting += count
        try:
            while not pool.spend(count, now_s):
                if now_s < pool.refused_until_s and count >= pool.refused:
                    raise pool.refusal(count, now_s)
                await asyncio.shield(self._fill(pool, count))
                now_s = time.monotonic()
        finally:
            pool.waiting -= count

    def _fill(self, pool: _Pool, least: int) -> asyncio.Task[None]:
        if pool.filling is None:
            pool.filling = asyncio.create_task(self._fetch(pool, least))
        return pool.filling

    async def _fetch(self, pool: _Pool, least: int) -> None:
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

    async def _granted(self, pool: _Pool, wanted: int, least: int, now_s: float) -> Granted:
        if now_s >= self._alone_until_s:
            with suppress(RedisUnavailable):
                asked = Wanted(pool.name, pool.amount, pool.period_ms, wanted, least)
                return (await self._limits.take_permits([asked]))[0]
            self._alone_until_s = time.monotonic() + AWAY_S
        return pool.take_alone(wanted, now_s)

    async def _free(self, key_id: str, ids: Sequence[str]) -> None:
        with suppress(RedisUnavailable):  # they lapse
            await self._limits.free_places(key_id, ids)


def _too_many(caller: Caller) -> TooManyAtOnce:
    return TooManyAtOnce(
        f"The key {caller.name!r} may have {caller.concurrent:,} predictions waiting and running at once, and has "
        "them; try again in 1 s.",
        retry_after_s=1,
    )
