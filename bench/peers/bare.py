"""The floor: Redis' own reliable queue (LPUSH, BLMOVE, LREM) with redis-py, as in anybody's first one.

The worker is as many loops as run at once; a result, where one is wanted, is pushed to a list of its own. No record, no
retry, no time-out, and what a killed worker ran stays where it is.
"""

import asyncio
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import msgspec
import uvloop
from redis.asyncio import Redis

from bench.peers.contestant import Contestant
from bench.peers.meter import Function

QUEUE, RUNNING = "bare:queue", "bare:running"
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


class Peer(Contestant):
    """See the module."""

    def work(self, concurrency: int) -> None:
        """``concurrency`` loops."""

        async def loop(function: Function) -> None:
            while True:
                job = await self._redis.blmove(QUEUE, RUNNING, 0, "RIGHT", "LEFT")
                text, reply_to = _decode(job)
                output = await function(text)
                if reply_to:
                    await self._redis.lpush(reply_to, _encode(output))
                await self._redis.lrem(RUNNING, 1, job)

        async def loops() -> None:
            function = Function()
            await asyncio.gather(*(loop(function) for _ in range(concurrency)))

        asyncio.Runner(loop_factory=uvloop.new_event_loop).run(loops())

    async def open(self) -> None:
        """No I/O yet."""
        self._calls = 0

    async def submit(self, text: str) -> object:
        """One LPUSH."""
        return await self._redis.lpush(QUEUE, _encode((text, "")))

    async def call(self, text: str) -> object:
        """LPUSH, then BLPOP of the answer."""
        self._calls += 1
        reply_to = f"bare:reply:{self._calls}"
        await self._redis.lpush(QUEUE, _encode((text, reply_to)))
        _, output = await self._redis.blpop(reply_to)
        return _decode(output)

    async def submit_many(self, texts: Sequence[str]) -> None:
        """LPUSH in pipelines of 1,000, which is about where longer ones gain no more."""
        for start in range(0, len(texts), 1000):
            async with self._redis.pipeline(transaction=False) as pipe:
                for text in texts[start : start + 1000]:
                    pipe.lpush(QUEUE, _encode((text, "")))
                await pipe.execute()

    @cached_property
    def _redis(self) -> Any:
        return Redis(unix_socket_path=self.path)
