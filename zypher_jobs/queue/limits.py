"""``Limits``: rates and places of API keys in Redis, the same for every process of every machine."""

from collections.abc import Sequence

import msgspec

from zypher_jobs.queue import keys
from zypher_jobs.queue.connection import RedisClient, redis_errors
from zypher_jobs.queue.scripts import source
from zypher_jobs.queue.wire import Script, Wire

UNRECORDED_MS = 60_000
"""A place whose prediction has no record is free again after so long beyond its longest run: whoever took it died."""

_encode = msgspec.msgpack.Encoder().encode


class Wanted(msgspec.Struct, frozen=True, array_like=True):
    """Permits of one rate, in the order that ``take_permits.lua`` reads."""

    name: str
    amount: int
    period_ms: int
    wanted: int
    least: int
    """Fewer than these are none."""


class Returned(msgspec.Struct, frozen=True, array_like=True):
    """Permits that were not used, in the order that ``return_permits.lua`` reads."""

    name: str
    amount: int
    period_ms: int
    permits: int


class Granted(msgspec.Struct, frozen=True):
    """What there was of it."""

    permits: int
    left: int
    """That others may be granted."""
    missing_ms: int
    """Until the fewest can be had; 0: they could, -1: they never can."""
    full_ms: int
    """Until all are back."""


class Limits:
    """Over one wire. Every call raises ``RedisUnavailable`` when Redis does not answer in time."""

    def __init__(self, redis: RedisClient) -> None:
        """``redis`` is a ``PredictionQueue``; one more connection of its pool is used. No I/O yet."""
        self._wire = Wire(redis.connection_pool)
        self._permits = Script(self._wire, source("take_permits"))
        self._returned = Script(self._wire, source("return_permits"))
        self._places = Script(self._wire, source("take_places"))

    async def take_permits(self, wanted: Sequence[Wanted]) -> list[Granted]:
        """Permits of several rates, in one round trip; of each as many as there are, up to those wanted."""
        with redis_errors():
            return [Granted(*each) for each in await self._permits(args=(_encode(wanted),))]

    async def return_permits(self, returned: Returned) -> None:
        """They may be granted again."""
        with redis_errors():
            await self._returned(args=(_encode(returned),))

    async def take_places(self, key_id: str, ids: Sequence[str], *, most: int, longest_run_ms: int) -> bool:
        """Whether there were places for all of these predictions; then they have them."""
        with redis_errors():
            return bool(await self._places(args=(key_id, most, longest_run_ms + UNRECORDED_MS, *ids)))

    async def free_places(self, key_id: str, ids: Sequence[str]) -> None:
        """They have ended, or were not begun."""
        with redis_errors():
            await self._wire.call("ZREM", keys.places(key_id), *ids)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._wire.aclose()
