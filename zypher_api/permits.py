"""``Account``: the permits that this process holds of one key's rates, and how the rates stand."""

import asyncio
import math
import re
from typing import Literal

from zypher_api.keyring import Caller
from zypher_api.responses import Header
from zypher_jobs.errors import RateLimited
from zypher_jobs.queue.limits import Granted

What = Literal["requests", "predictions"]

AHEAD_S = 0.05
"""What was used in so long is fetched at once."""
REFUSED_S = 1.0
"""After a refusal it is not asked again for so long: what another process gives back meanwhile is granted then."""

_UNITS_MS = {"s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}


def parse_rate(text: str) -> tuple[int, int]:
    """``100/s``, ``5/10s`` → how many, in so many ms."""
    match = re.fullmatch(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,4})?(s|min|h|d)", text)
    if match is None:
        raise ValueError(f"no rate: {text!r}")
    return int(match[1]), int(match[2] or 1) * _UNITS_MS[match[3]]


class Pool:
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
        self.refused_at_s = 0.0
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
        self.unused = 0
        """Of predictions that were refused for other reasons; Redis is to have them back."""
        self.returning: asyncio.Task[None] | None = None

    def spend(self, count: int, now_s: float) -> int:
        """Take so many; below 0: there were too few and none was taken, 0: it is time to fetch the next ones."""
        left = self.permits - count
        if left < 0 or now_s > self.lapses_at_s:
            return -1
        self.permits = left
        self.used += count
        return left * 3 > self.used_before

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

    def check(self, count: int, now_s: float) -> None:
        """Raises ``RateLimited`` where it is known, without asking, that there are not so many."""
        is_known = now_s < self.refused_until_s and now_s < self.refused_at_s + REFUSED_S and count >= self.refused
        if is_known and (self.permits < count or now_s > self.lapses_at_s):
            raise self.refusal(count, now_s)

    def give_back(self, count: int) -> None:
        """So many were not used after all."""
        self.unused += count
        self.left = min(self.left + count, self.amount - self.permits)

    def take_alone(self, wanted: int, now_s: float) -> Granted:
        """As ``take_permits.lua``, for this process alone."""
        each_s = self.period_ms / 1000 / self.amount
        earned_s = max(now_s, self.earned_s)
        left = math.floor((now_s + self.period_ms / 1000 - earned_s) / each_s + 0.001)
        granted = min(left, wanted)
        self.earned_s = earned_s + granted * each_s
        missing_ms = 0 if granted else math.ceil(each_s * 1000)
        return Granted(granted, left - granted, missing_ms, math.ceil((self.earned_s - now_s) * 1000))

    def return_alone(self, count: int) -> None:
        """As ``return_permits.lua``, for this process alone."""
        self.earned_s -= count * self.period_ms / 1000 / self.amount

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


class Account:
    """The pools of one key."""

    def __init__(self, caller: Caller, before: "Account | None") -> None:
        """``before``: the account of the same key as it was seen last; a rate that is the same goes on."""
        self.caller = caller
        self.requests = _pool(caller, "requests", caller.requests, before and before.requests)
        self.predictions = _pool(caller, "predictions", caller.predictions, before and before.predictions)
        self._pools = [pool for pool in (self.requests, self.predictions) if pool is not None]
        self._policy = (b"ratelimit-policy", b", ".join(pool.policy for pool in self._pools))

    def standing(self, now_s: float) -> list[Header]:
        """``RateLimit`` and its policy (draft-ietf-httpapi-ratelimit-headers)."""
        return [self._policy, (b"ratelimit", b", ".join([pool.standing(now_s) for pool in self._pools]))]


def _pool(caller: Caller, what: What, rate: str | None, before: Pool | None) -> Pool | None:
    if rate is None or (before is not None and before.rate == rate):
        return before if rate is not None else None
    return Pool(caller, what, rate)
