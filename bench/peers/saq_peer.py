# pyright: basic, reportMissingImports=false
"""SAQ: uvloop, hiredis, orjson, no log lines; as many operations at once as there are callers (its default is 20)."""

import asyncio

import orjson
import uvloop
from redis.asyncio import Redis
from saq import Worker
from saq.queue.redis import RedisQueue

from bench.peers.contestant import Contestant
from bench.peers.meter import Function

RESULT_POLL_S = 0.001


class Peer(Contestant):
    """See the module."""

    def work(self, concurrency: int) -> None:
        """A stock worker."""

        async def serve() -> None:
            function = Function()

            async def work(_ctx: object, *, text: str) -> str:
                return await function(text)

            await Worker(self._queue(), functions=[("work", work)], concurrency=concurrency).start()

        asyncio.Runner(loop_factory=uvloop.new_event_loop).run(serve())

    async def open(self) -> None:
        """No I/O yet."""
        self._caller = self._queue()

    async def submit(self, text: str) -> object:
        """Its script."""
        return await self._caller.enqueue("work", text=text)

    async def call(self, text: str) -> object:
        """SAQ polls for results (it has a channel to wait on, but misses what ends before it listens)."""
        return await self._caller.apply("work", poll_interval=RESULT_POLL_S, text=text)

    def _queue(self) -> RedisQueue:
        return RedisQueue(Redis.from_url(self.url), dump=orjson.dumps, load=orjson.loads, max_concurrent_ops=200)
