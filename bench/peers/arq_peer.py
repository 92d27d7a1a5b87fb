# pyright: basic
"""arq: uvloop, hiredis, MessagePack instead of pickle, no log lines; ``poll_delay`` is the contestant's."""

import asyncio
import os
from typing import Any

import msgspec
import uvloop
from arq import create_pool, func
from arq.connections import RedisSettings
from arq.worker import Worker

from bench.peers.contestant import Contestant
from bench.peers.meter import Function

POLL_S = float(os.environ.get("BENCH_ARQ_POLL_S", "0.5"))
RESULT_POLL_S = 0.001
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


class Peer(Contestant):
    """See the module."""

    def work(self, concurrency: int) -> None:
        """A stock worker."""
        loop = uvloop.new_event_loop()
        asyncio.set_event_loop(loop)
        function = Function()

        async def work(ctx: dict[Any, Any], text: str) -> str:  # noqa: ARG001  # arq gives it
            return await function(text)

        Worker(
            functions=[func(work, name="work")],
            redis_settings=RedisSettings(unix_socket_path=self.path),
            max_jobs=concurrency,
            poll_delay=POLL_S,
            job_serializer=_encode,
            job_deserializer=_decode,
        ).run()

    async def open(self) -> None:
        """arq's own pool."""
        self._redis = await create_pool(
            RedisSettings(unix_socket_path=self.path), job_serializer=_encode, job_deserializer=_decode
        )

    async def submit(self, text: str) -> object:
        """Three round trips, as arq makes them."""
        return await self._redis.enqueue_job("work", text)

    async def call(self, text: str) -> object:
        """arq polls for results."""
        job = await self._redis.enqueue_job("work", text)
        assert job is not None
        return await job.result(poll_delay=RESULT_POLL_S)
