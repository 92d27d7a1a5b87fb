"""Ends what waited past its deadline, wherever it stands in its queue.

Lapsed leases need no reaping: the end of a lease is its prediction's score, so that the next claim takes it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from zypher_jobs.errors import RedisUnavailable
from zypher_jobs.queue.connection import redis_errors

log = logging.getLogger("zypher.worker")

EVERY_S = 1.0


class Reaper:
    """Looks each second. Every worker has one: the script gives each prediction to one of them."""

    def __init__(self, expire: Callable[[], Awaitable[None]]) -> None:
        self._expire = expire

    async def run(self) -> None:
        """Until canceled."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                with redis_errors():
                    await self._expire()
            except RedisUnavailable:
                log.debug("deadlines are looked at again when Redis is back")
