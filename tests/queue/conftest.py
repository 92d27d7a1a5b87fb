"""A queue client, and workers that run in the test's own process."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Protocol

import pytest
from arq.worker import func

from zypher_jobs.models import ModelRegistry
from zypher_jobs.queue import PredictionQueue
from zypher_jobs.settings import Settings
from zypher_jobs.worker import PredictionWorker
from zypher_jobs.worker.predict import predict


class StartWorker(Protocol):
    """Starts a worker and returns it; the fixture ends it."""

    async def __call__(self, functions: Sequence[Any] = (), **options: Any) -> PredictionWorker: ...


@pytest.fixture
async def queue(settings: Settings) -> AsyncIterator[PredictionQueue]:
    """A client on an empty database."""
    client = PredictionQueue.from_settings(settings)
    yield client
    await client.aclose()


@pytest.fixture
async def registry(settings: Settings) -> AsyncIterator[ModelRegistry]:
    """The built-in models, loaded."""
    models = ModelRegistry.from_settings(settings)
    await models.load_all()
    yield models
    await models.close()


@pytest.fixture
async def start_worker(settings: Settings, registry: ModelRegistry) -> AsyncIterator[StartWorker]:
    """Workers on the test's database, with clients of their own; without functions they run predictions."""
    async with AsyncExitStack() as stack:

        async def start(functions: Sequence[Any] = (), **options: Any) -> PredictionWorker:
            return await stack.enter_async_context(running_worker(settings, registry, functions, **options))

        yield start


@asynccontextmanager
async def running_worker(
    settings: Settings, registry: ModelRegistry, functions: Sequence[Any] = (), **options: Any
) -> AsyncGenerator[PredictionWorker]:
    """One worker that claims until the block is left."""
    defaults: dict[str, Any] = {"handle_signals": False, "ctx": {"registry": registry, "settings": settings}}
    worker = PredictionWorker(
        list(functions) or [func(predict, name="predict")],
        redis_pool=PredictionQueue.from_settings(settings),
        **(defaults | options),
    )
    running = asyncio.create_task(worker.async_run())
    try:
        yield worker
    finally:
        await worker.close()
        with suppress(asyncio.CancelledError):
            await running
