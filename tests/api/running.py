"""The real API over real HTTP, in the test's own event loop."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import httpx
from arq.worker import func

from zypher_api.server import ApiServer
from zypher_api.services import Services
from zypher_jobs.queue import PredictionQueue
from zypher_jobs.settings import Settings
from zypher_jobs.supervisor.listener import bind
from zypher_jobs.testing import wait_until
from zypher_jobs.worker import PredictionWorker
from zypher_jobs.worker.predict import predict


class RunningApi(httpx.AsyncClient):
    """A client of one API process."""

    def __init__(self, server: ApiServer, settings: Settings) -> None:
        super().__init__(base_url=f"http://127.0.0.1:{settings.port}", timeout=20)
        self.server = server
        self.services: Services = server.services
        self.settings = settings

    async def metric(self, sample: str) -> float:
        """One sample of ``/metrics``; 0 when it is absent."""
        for line in (await self.get("/metrics")).text.splitlines():
            name, _, value = line.rpartition(" ")
            if name == sample:
                return float(value)
        return 0


@asynccontextmanager
async def running_api(settings: Settings, *, loaded: bool = True) -> AsyncGenerator[RunningApi]:
    """The API of ``settings`` on its port, with its models loaded or still loading, until the block is left."""
    server = ApiServer(settings)
    serving = asyncio.create_task(server.serve(sockets=[bind(settings.host, settings.port)]))
    await wait_until(lambda: server.started)
    if loaded:
        for _ in range(10):  # each waits for 2 s at most: children take longer to start on a machine that is busy
            await server.services.loaded()
    try:
        async with RunningApi(server, settings) as api:
            yield api
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def running_worker(api: RunningApi) -> AsyncGenerator[PredictionWorker]:
    """A worker with the API's models."""
    worker = PredictionWorker(
        [func(predict, name="predict")],
        redis_pool=PredictionQueue.from_settings(api.settings),
        handle_signals=False,
        ctx={"registry": api.services.registry, "settings": api.settings},
        lease_s=api.settings.lease_s,
    )
    running = asyncio.create_task(worker.async_run())
    try:
        yield worker
    finally:
        await worker.close()
        with suppress(asyncio.CancelledError):
            await running
