# pyright: basic, reportMissingImports=false
"""streaQ: uvloop, coredis, its default serializer (pickle, in C), prefetch as much as it runs at once."""

from collections.abc import Sequence

from streaq import Worker

from bench.peers.contestant import Contestant
from bench.peers.meter import Function


class Peer(Contestant):
    """See the module."""

    def work(self, concurrency: int) -> None:
        """A stock worker."""
        worker, _ = self._worker(concurrency, Function())
        worker.run_sync()

    async def open(self) -> None:
        """The caller's side is a worker that does not run."""
        self._caller, self._task = self._worker(100, None)
        await self._caller.__aenter__()

    async def submit(self, text: str) -> object:
        """One function call of its library in Redis."""
        return await self._task.enqueue(text)

    async def call(self, text: str) -> object:
        """Woken by its channel."""
        task = await self._task.enqueue(text)
        return (await task.result(30)).result

    async def submit_many(self, texts: Sequence[str]) -> None:
        """One pipeline."""
        await self._caller.enqueue_many([self._task.enqueue(text) for text in texts])

    def _worker(self, concurrency: int, function: Function | None):
        worker = Worker(redis_url=self.url, concurrency=concurrency, anyio_kwargs={"use_uvloop": True})

        @worker.task(name="work", silent=True)
        async def work(text: str) -> str:
            assert function is not None
            return await function(text)

        return worker, work
