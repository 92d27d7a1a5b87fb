"""Those who watch predictions: one connection for all of a process.

It hears one channel, that of this client. Who is to be told stands in the prediction's record, put there by the read
that finds it unfinished, in one step. A message only says that there is something to read: each reader reads behind
its own place and in its own time, so that a slow one holds nothing in memory here.
"""

import asyncio
import os
from collections.abc import Callable
from typing import Any

from redis.exceptions import RedisError

from zypher_jobs.contracts.prediction import Prediction
from zypher_jobs.errors import RedisUnavailable
from zypher_jobs.queue import keys
from zypher_jobs.queue.backoff import Backoff
from zypher_jobs.queue.connection import redis_errors
from zypher_jobs.queue.inspect import Inspector
from zypher_jobs.queue.stories import Seen, Stories
from zypher_jobs.queue.together import Together
from zypher_jobs.queue.wire import Wire


class Watch:
    """One who watches one prediction; to be closed."""

    def __init__(self, watchers: "Watchers", prediction_id: str, *, after: str, wake: Callable[[], None]) -> None:
        self.prediction_id = prediction_id
        self.wake = wake
        self._after = after
        self._watchers = watchers

    async def read(self) -> Seen:
        """What came since the last read; ``wake`` is called when there is more.

        Raises ``UnknownPrediction``, and ``RedisUnavailable``: then ``wake`` is called once Redis is back.
        """
        seen = await self._watchers.read(self.prediction_id, self._after)
        if seen.entries:
            self._after = seen.entries[-1].entry_id
        return seen

    async def prediction(self) -> Prediction:
        """As it stands; one read for all who ask at once."""
        return await self._watchers.prediction(self.prediction_id)

    def close(self) -> None:
        """Watch no more."""
        self._watchers.leave(self)


class Watchers:
    """Wakes those who watch by the messages that the scripts publish."""

    def __init__(self, pool: Any, inspect: Inspector) -> None:
        """``inspect`` reads what is no part of a story."""
        self.prediction = Together(inspect.prediction)
        self.client_id = os.urandom(8).hex()
        self._hearing = Wire(pool, lost=self._lost)
        # replies are large, and Redis cuts off a listener that is slow to take in what is meant for it
        self._reading = Wire(pool)
        self._stories = Stories(self._reading)
        self._read = Together(self._read_behind)
        self._hears = False
        self._watching: dict[bytes, set[Watch]] = {}
        self._returning: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """Those who watch."""
        return sum(map(len, self._watching.values()))

    def watch(self, prediction_id: str, *, after: str, wake: Callable[[], None]) -> Watch:
        """Watch a prediction from an entry on; nothing is read yet."""
        watch = Watch(self, prediction_id, after=after, wake=wake)
        self._watching.setdefault(prediction_id.encode(), set()).add(watch)
        return watch

    async def read(self, prediction_id: str, after: str) -> Seen:
        """See ``Watch.read``."""
        try:
            await self._hear()
            return await self._read((prediction_id, after))
        except RedisUnavailable:
            self._return()
            raise

    async def _read_behind(self, place: tuple[str, str]) -> Seen:
        prediction_id, after = place
        return await self._stories.read(prediction_id, after=after, client_id=self.client_id)

    def leave(self, watch: Watch) -> None:
        """See ``Watch.close``."""
        name = watch.prediction_id.encode()
        watching = self._watching.get(name, set())
        watching.discard(watch)
        if not watching:
            self._watching.pop(name, None)

    async def aclose(self) -> None:
        """Stop listening."""
        self._watching.clear()
        if self._returning is not None:
            self._returning.cancel()
            await asyncio.wait([self._returning])
        await self._hearing.aclose()
        await self._reading.aclose()

    async def _hear(self) -> None:
        if not self._hears:
            with redis_errors():
                await self._hearing.subscribe(keys.watch(self.client_id), self._heard)
            self._hears = True

    def _heard(self, message: bytes) -> None:
        for watch in list(self._watching.get(message, ())):
            watch.wake()

    def _lost(self, error: Exception) -> None:
        del error
        self._hears = False
        if self._watching:
            self._return()

    def _return(self) -> None:
        if self._returning is None or self._returning.done():
            self._returning = asyncio.create_task(self._come_back())

    async def _come_back(self) -> None:
        """Hear again as soon as Redis is back; then everybody reads what was missed."""
        backoff = Backoff()
        while self._watching:
            await backoff.sleep()
            try:
                await self._hear()
                await self._reading.call("PING")
            except (RedisUnavailable, RedisError, OSError):
                continue
            for watching in list(self._watching.values()):
                for watch in list(watching):
                    watch.wake()
            return
