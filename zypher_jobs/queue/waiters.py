"""Callers that wait for predictions: one subscribed connection for all of a process's waiters."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from zypher_jobs.errors import RedisUnavailable
from zypher_jobs.queue import keys
from zypher_jobs.queue.connection import RedisClient, connection_options, redis_errors

_LISTEN_S = 5.0


class _Channel:
    """One prediction's channel: whether the server confirmed it, and what to set when something may have changed."""

    def __init__(self) -> None:
        self.confirmed = asyncio.Event()
        self.changed: set[asyncio.Event] = set()
        self.error: BaseException | None = None


class Waiters:
    """Wakes waiters by the channel that the finish script publishes on.

    After a lost connection redis-py subscribes anew; each repeated confirmation wakes the channel's waiters to look
    again, so that a finish in the gap is not missed.
    """

    def __init__(self, redis: RedisClient) -> None:
        self._pubsub = redis.pubsub()
        self._answer_s: float | None = connection_options(redis).get("socket_timeout")
        self._lock = asyncio.Lock()
        self._channels: dict[bytes, _Channel] = {}
        self._reader: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def listening(self, prediction_id: str) -> AsyncGenerator[Callable[[float], Awaitable[None]]]:
        """Subscribed while inside: look at the prediction, then await what it yields, with seconds to wait at most.

        It returns when the prediction may have ended, or at the time-out; raises ``RedisUnavailable`` when the
        connection was lost and could not be made again.
        """
        name = keys.done(prediction_id).encode()
        changed = asyncio.Event()
        channel = self._channels.get(name)
        try:
            if channel is None:
                channel = self._channels[name] = _Channel()
                channel.changed.add(changed)
                await self._subscribe(name, channel)
            channel.changed.add(changed)
            await self._confirm(channel)

            async def woken(timeout_s: float) -> None:
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(changed.wait(), timeout_s)
                changed.clear()
                self._raise_lost(channel)

            yield woken
        finally:
            if channel is not None:
                await self._leave(name, channel, changed)

    async def aclose(self) -> None:
        """Stop listening."""
        if self._reader is not None:
            self._reader.cancel()
            with suppress(asyncio.CancelledError):
                await self._reader
        await self._pubsub.aclose()

    async def _subscribe(self, name: bytes, channel: _Channel) -> None:
        async with self._lock:
            self._raise_lost(channel)
            try:
                with redis_errors():
                    await self._pubsub.subscribe(name)
            except RedisUnavailable as error:
                self._lose(error)  # they share the connection: each would wait for its own time-out, one after another
                raise
        self._listen()

    async def _confirm(self, channel: _Channel) -> None:
        """Wait for the server's word; without it in time the connection is dead, whatever the network says of it."""
        try:
            async with asyncio.timeout(self._answer_s):
                await channel.confirmed.wait()
        except TimeoutError:
            self._lose(RedisTimeoutError("a subscription was not confirmed"))
            if self._reader is not None:
                self._reader.cancel()
                self._reader = None
            await self._reset()
        self._raise_lost(channel)

    async def _leave(self, name: bytes, channel: _Channel, changed: asyncio.Event) -> None:
        channel.changed.discard(changed)
        if channel.changed or self._channels.get(name) is not channel:
            return
        del self._channels[name]
        with suppress(RedisError, OSError):
            async with self._lock:
                await self._pubsub.unsubscribe(name)

    def _listen(self) -> None:
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            while True:
                message = await self._pubsub.get_message(timeout=_LISTEN_S)
                if message is None or (channel := self._channels.get(message["channel"])) is None:
                    continue
                if message["type"] == "subscribe" and not channel.confirmed.is_set():
                    channel.confirmed.set()
                else:
                    _wake(channel)
        except (RedisError, OSError) as error:
            self._lose(error)
            await self._reset()

    def _lose(self, error: BaseException) -> None:
        """Every waiter's call ends; the next one subscribes on a new connection."""
        lost, self._channels = self._channels, {}
        for channel in lost.values():
            channel.error = error
            channel.confirmed.set()
            _wake(channel)

    async def _reset(self) -> None:
        with suppress(RedisError, OSError):
            if self._pubsub.connection is not None:
                await self._pubsub.connection.disconnect(nowait=True)  # a dead one would be waited for
            await self._pubsub.aclose()  # its next use opens it anew

    @staticmethod
    def _raise_lost(channel: _Channel) -> None:
        if channel.error is not None:
            raise RedisUnavailable("Redis went away while the prediction was waited for.") from channel.error


def _wake(channel: _Channel) -> None:
    for changed in channel.changed:
        changed.set()
