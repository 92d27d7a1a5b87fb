"""One multiplexed connection to Redis: what is written in a loop turn leaves together, replies are matched in order.

A pool's connection carries one command at a time, and redis-py spends more on it than Redis does. Submits, claims and
finishes go over this instead. redis-py still makes the connection (TLS, unix socket, Sentinel, user and password,
database); from then on the bytes are ours. It speaks RESP3, so that messages of subscribed channels come over the same
connection, in order with the replies. Never send a command that blocks: all that follow would wait for it.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha1
from typing import Any, cast

import hiredis
from redis._parsers.base import BaseParser  # its codes of errors → its exceptions
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, NoScriptError, ReadOnlyError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

Heard = Callable[[bytes], None]
"""Called with each message of a channel."""

_NOTHING = object()
_pack = cast("Callable[[tuple[Any, ...]], bytes]", hiredis.pack_command)  # pyright: ignore[reportUnknownMemberType]
_error_of = cast("Callable[[str], Exception]", BaseParser.parse_error)  # pyright: ignore[reportUnknownMemberType]


_PING = _pack(("PING",))


def _unwanted(loop: asyncio.AbstractEventLoop) -> asyncio.Future[Any]:
    """In the place of a reply that nobody waits for."""
    reply: asyncio.Future[Any] = loop.create_future()
    reply.cancel()
    return reply


class Link(asyncio.Protocol):
    """One connection, from its handshake to its end. Whatever waits for a reply when it ends gets the error."""

    def __init__(self, connection: Any, *, timeout_s: float | None, lost: Callable[[Exception], None]) -> None:
        """``connection`` is redis-py's, connected; ``lost`` is told once why it ended."""
        self.is_open = True
        self.channels: dict[bytes, Heard] = {}
        self._connection = connection
        self._timeout_s = timeout_s
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._pending: deque[tuple[asyncio.Future[Any], float]] = deque()
        self._watching: asyncio.TimerHandle | None = None
        self._reader: Any = hiredis.Reader(protocolError=InvalidResponse, replyError=_error_of, notEnoughData=_NOTHING)
        # redis-py has no other way to it
        self._transport: asyncio.Transport = connection._writer.transport  # noqa: SLF001
        self._transport.set_protocol(self)

    def send(self, *command: Any, publishes: bool = False) -> asyncio.Future[Any]:
        """Write a command; its reply, or redis-py's exception for it.

        ``publishes``: what it publishes shall leave before its reply does. Redis writes to whom it answered last first,
        and waking a process costs more than most scripts: a PING ahead makes this connection the one answered first.
        """
        reply: asyncio.Future[Any] = self._loop.create_future()
        if not self.is_open:
            reply.set_exception(RedisConnectionError("The connection to Redis has ended."))
            return reply
        packed = _pack(command)
        if publishes:
            packed = _PING + packed
            self._pending.append((_unwanted(self._loop), self._loop.time()))
        self._transport.write(packed)
        self._pending.append((reply, self._loop.time()))
        if self._watching is None and self._timeout_s is not None:
            self._watching = self._loop.call_later(self._timeout_s, self._watch)
        return reply

    def subscribe(self, channel: str, heard: Heard) -> None:
        """Hear a channel from now on: whatever is published behind this in Redis' order. One listener each."""
        self.channels[channel.encode()] = heard
        if self.is_open:
            self._transport.write(_pack(("SUBSCRIBE", channel)))  # it has no reply, but a push

    def end(self, error: Exception) -> None:
        """Close it; what waits gets ``error``."""
        if not self.is_open:
            return
        self.is_open = False
        if self._watching is not None:
            self._watching.cancel()
        self._transport.abort()
        pending, self._pending = self._pending, deque()
        for reply, _ in pending:
            if not reply.done():
                reply.set_exception(error)
                reply.exception()  # seen: whoever sent it may be gone
        self._lost(error)

    async def closed(self) -> None:
        """Give redis-py's part back."""
        with suppress(RedisError, OSError):
            await self._connection.disconnect(nowait=True)

    def data_received(self, data: bytes) -> None:
        """Replies and messages."""
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not _NOTHING:
                if type(reply) is hiredis.PushNotification:
                    self._hear(reply)
                    continue
                waiting, _ = self._pending.popleft()
                if waiting.done():
                    continue
                if isinstance(reply, RedisError):
                    waiting.set_exception(reply)
                    waiting.exception()
                else:
                    waiting.set_result(reply)
        except (InvalidResponse, IndexError) as error:
            self.end(RedisConnectionError(f"Redis sent what is no reply: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side closed it."""
        self.end(RedisConnectionError(str(exc) if exc else "Redis closed the connection."))

    def _hear(self, push: list[Any]) -> None:
        if push[0] == b"message":
            heard = self.channels.get(push[1])
            if heard is not None:
                heard(push[2])

    def _watch(self) -> None:
        """Fires when the oldest command may have waited too long: then the connection is dead, whatever it says."""
        self._watching = None
        if not self._pending or self._timeout_s is None:
            return
        left_s = self._pending[0][1] + self._timeout_s - self._loop.time()
        if left_s > 0:
            self._watching = self._loop.call_later(left_s, self._watch)
        else:
            self.end(RedisTimeoutError("Redis did not answer in time."))


class Wire:
    """A ``Link`` that is made when it is needed, and anew after it ended. Raises redis-py's errors."""

    def __init__(self, pool: Any, *, lost: Callable[[Exception], None] | None = None) -> None:
        """A pool of redis-py's asyncio client; no I/O yet.

        ``lost`` is told each time the connection ends: subscriptions end with it.
        """
        self._pool = pool
        self._timeout_s: float | None = pool.connection_kwargs.get("socket_timeout")
        self._told = lost
        self._link: Link | None = None
        self._connecting: asyncio.Task[Link] | None = None
        self._ended: set[asyncio.Task[None]] = set()

    async def call(self, *command: Any, publishes: bool = False) -> Any:
        """The reply to one command, see ``Link.send``.

        It is sent once more when the connection ended under it; all of ours may be.
        """
        try:
            return await (await self.link()).send(*command, publishes=publishes)
        except RedisConnectionError:
            pass
        except ReadOnlyError as error:
            self.drop(error)  # the name may lead to another server by now
        return await (await self.link()).send(*command, publishes=publishes)

    async def link(self) -> Link:
        """The connection as it is now, made if need be."""
        if self._link is not None:
            return self._link
        connecting = self._connecting
        if connecting is None or connecting.done():
            connecting = self._connecting = asyncio.create_task(self._connect())
        return await asyncio.shield(connecting)

    async def subscribe(self, channel: str, heard: Heard) -> None:
        """Hear a channel until the connection ends; when this returns nothing is missed any more."""
        link = await self.link()
        link.subscribe(channel, heard)
        await link.send("PING")  # its reply comes behind the subscription

    def drop(self, error: Exception) -> None:
        """End the connection, for a reason; the next call makes a new one."""
        if self._link is not None:
            self._link.end(error)

    async def aclose(self) -> None:
        """End it for good."""
        if self._connecting is not None:
            self._connecting.cancel()
            with suppress(asyncio.CancelledError, RedisError, OSError):
                await self._connecting
        self.drop(RedisConnectionError("The client was closed."))
        await asyncio.gather(*self._ended)

    async def _connect(self) -> Link:
        connection: Any = self._pool.make_connection()
        try:
            async with asyncio.timeout(self._timeout_s):
                await connection.connect()
        except TimeoutError as error:
            await connection.disconnect(nowait=True)
            raise RedisTimeoutError("Redis did not answer in time.") from error
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        link = self._link = Link(connection, timeout_s=self._timeout_s, lost=self._lost)
        try:
            await link.send("HELLO", 3)
        except RedisError as error:
            link.end(error)
            raise
        return link

    def _lost(self, error: Exception) -> None:
        link, self._link = self._link, None
        if link is not None:
            closing = asyncio.create_task(link.closed())
            self._ended.add(closing)
            closing.add_done_callback(self._ended.discard)
        if self._told is not None:
            self._told(error)


class Script:
    """A Lua script over a wire: by its digest, and with its text where the server lacks it."""

    def __init__(self, wire: Wire, source: str, *, publishes: bool = False) -> None:
        """``publishes``: whoever hears of it is to hear before the caller, see ``Link.send``."""
        self._wire = wire
        self._publishes = publishes
        self._source = source
        self.digest = sha1(source.encode(), usedforsecurity=False).hexdigest()

    async def __call__(self, *, keys: Any = (), args: Any = ()) -> Any:
        """Run it; the reply."""
        try:
            return await self._wire.call("EVALSHA", self.digest, len(keys), *keys, *args, publishes=self._publishes)
        except NoScriptError:
            return await self._wire.call("EVAL", self._source, len(keys), *keys, *args)
