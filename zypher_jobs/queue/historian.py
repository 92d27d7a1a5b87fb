"""``Historian``: writes down the whole system every ten seconds; one of all processes does, whichever it is."""

import asyncio
import logging
import random
from collections.abc import Callable

import msgspec

from zypher_jobs.contracts.history import HistoryFrame
from zypher_jobs.contracts.stats import Health, Overview
from zypher_jobs.errors import RedisUnavailable
from zypher_jobs.queue import keys
from zypher_jobs.queue.connection import RedisClient, redis_errors
from zypher_jobs.queue.history import packed
from zypher_jobs.queue.inspect import Inspector

log = logging.getLogger("zypher.queue")

EVERY_S = 10.0
_JITTER_S = 0.25
"""So that those who wait for the next turn do not all ask at once."""


class Historian:
    """Over one client. Every call raises ``RedisUnavailable`` when Redis does not answer in time."""

    def __init__(self, redis: RedisClient, inspector: Inspector, *, kept_s: int, every_s: float = EVERY_S) -> None:
        """``kept_s`` is how far it reaches back; 0 records nothing."""
        self._redis = redis
        self._inspector = inspector
        self._kept_s = kept_s
        self._every_s = every_s

    async def keep_recording(self, health: Callable[[Overview], Health] | None = None) -> None:
        """Write a frame whenever it is this process's turn, without end; through outages."""
        if not self._kept_s:
            return
        while True:
            try:
                pause_s = await self.record(health)
            except RedisUnavailable as error:
                log.debug("history is not recorded", extra={"error": error.message})
                pause_s = self._every_s
            except Exception:
                # a frame that cannot be written must not keep later ones from being written
                log.exception("history is not recorded")
                pause_s = self._every_s
            await asyncio.sleep(pause_s + random.uniform(0, _JITTER_S))  # noqa: S311  # no secret

    async def record(self, health: Callable[[Overview], Health] | None = None) -> float:
        """Write one, unless another process did within the last ten seconds; how long until the next, in s."""
        turn_ms = round(self._every_s * 1000)
        with redis_errors():
            if not await self._redis.set(keys.HISTORY_TURN, b"", nx=True, px=turn_ms):
                left_ms: int = await self._redis.pttl(keys.HISTORY_TURN)
                return max(left_ms, 0) / 1000
        overview = await self._inspector.overview(latest=0)
        frame = HistoryFrame(
            at=overview.taken_at, overview=_slim(overview), health=health(overview) if health is not None else None
        )
        with redis_errors():
            await self._redis.xadd(
                keys.HISTORY,
                {"frame": packed(frame)},
                maxlen=max(round(self._kept_s / self._every_s), 1),
                approximate=True,
            )
        return self._every_s


def _slim(overview: Overview) -> Overview:
    """Without what takes room and says nothing: histograms in which nothing is counted."""
    return msgspec.structs.replace(overview, latencies=[each for each in overview.latencies if any(each.counts)])
