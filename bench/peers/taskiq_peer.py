# pyright: basic, reportMissingImports=false
"""taskiq-redis: uvloop, hiredis, orjson, a list as the queue (its fastest), pools as large as what is at once,
no parsing of arguments, prefetch as much as it runs at once. The newest one for redis-py 5: newer clients are slower.
"""

import asyncio

import uvloop
from taskiq.receiver import Receiver
from taskiq.serializers import ORJSONSerializer
from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend

from bench.peers.contestant import Contestant
from bench.peers.meter import Function

RESULT_POLL_S = 0.001
RESULTS_KEPT_S = 3600


class Peer(Contestant):
    """See the module."""

    def work(self, concurrency: int) -> None:
        """What ``taskiq worker --workers 1`` runs in its one child."""
        function = Function()
        broker, _ = self._broker(function)
        broker.is_worker_process = True
        receiver = Receiver(broker, validate_params=False, max_async_tasks=concurrency, max_prefetch=concurrency)

        async def serve() -> None:
            await receiver.listen(asyncio.Event())

        asyncio.Runner(loop_factory=uvloop.new_event_loop).run(serve())

    async def open(self) -> None:
        """Starts its pools."""
        broker, self._task = self._broker(None)
        await broker.startup()

    async def submit(self, text: str) -> object:
        """One LPUSH."""
        return await self._task.kiq(text)

    async def call(self, text: str) -> object:
        """taskiq polls for results."""
        task = await self._task.kiq(text)
        return (await task.wait_result(check_interval=RESULT_POLL_S, timeout=30)).return_value

    def _broker(self, function: Function | None):
        backend = RedisAsyncResultBackend(
            self.url, result_ex_time=RESULTS_KEPT_S, max_connection_pool_size=200, serializer=ORJSONSerializer()
        )
        broker = ListQueueBroker(self.url, max_connection_pool_size=200).with_result_backend(backend)
        broker = broker.with_serializer(ORJSONSerializer())

        @broker.task(task_name="work")
        async def work(text: str) -> str:
            assert function is not None
            return await function(text)

        return broker, work
