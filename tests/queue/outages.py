"""A queue and a worker on a server that gets into trouble, and callers that submit meanwhile."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from tests.queue.conftest import running_worker
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.errors import RedisUnavailable
from zypher_jobs.models import ModelRegistry
from zypher_jobs.queue import PredictionQueue
from zypher_jobs.queue.ids import new_prediction_id
from zypher_jobs.settings import LatencyRange, Settings
from zypher_jobs.testing import wait_until
from zypher_jobs.worker import PredictionWorker

ANSWER_S = 0.8
"""The longest wait for one answer of Redis here."""
MOST_S = 1.6
"""Longer than that no caller waits, with room for a busy machine."""


def settings_for(url: str, directory: Path, *, latency_ms: float = 0) -> Settings:
    """Settings of a test: short time-outs, and predictions of the mock model that take a while."""
    return msgspec.structs.replace(
        Settings(),
        redis_url=url,
        redis_timeout_s=ANSWER_S,
        data_dir=directory / "data",
        mock_latency_ms=LatencyRange(latency_ms, latency_ms),
    )


@asynccontextmanager
async def working(
    settings: Settings, *, lease_s: float = 1.0
) -> AsyncGenerator[tuple[PredictionQueue, PredictionWorker]]:
    """A client, and one worker that is seen by its heartbeat: its keeper reaches Redis too."""
    registry = ModelRegistry.from_settings(settings)
    await registry.load_all()
    queue = PredictionQueue.from_settings(settings)
    try:
        async with running_worker(settings, registry, lease_s=lease_s) as worker:
            await wait_until(lambda: is_seen(queue, worker))
            yield queue, worker
    finally:
        await queue.aclose()
        await registry.close()


async def is_seen(queue: PredictionQueue, worker: PredictionWorker) -> bool:
    """Whether a worker's heartbeat is fresh; not while Redis is away."""
    try:
        return worker.worker_id in [each.worker_id for each in (await queue.inspect.overview(latest=0)).workers]
    except RedisUnavailable:
        return False


async def submit_steadily(queue: PredictionQueue, count: int) -> list[str]:
    """Submit from ten callers who try again, under the same id, what Redis did not take."""
    ids = [new_prediction_id() for _ in range(count)]

    async def submit(mine: list[str]) -> None:
        for prediction_id in mine:
            while True:
                try:
                    await queue.submit("mock", {"input": "x"}, prediction_id=prediction_id)
                except RedisUnavailable:
                    await asyncio.sleep(0.02)
                else:
                    break
            await asyncio.sleep(0.005)

    await asyncio.gather(*(submit(ids[caller::10]) for caller in range(10)))
    return ids


async def all_succeed(queue: PredictionQueue, ids: list[str], *, timeout_s: float = 15) -> None:
    """Wait until every one of them has succeeded."""

    async def done() -> bool:
        try:
            statuses = {(await queue.prediction(prediction_id)).status for prediction_id in ids}
        except RedisUnavailable:
            return False
        return statuses == {Status.SUCCEEDED}

    await wait_until(done, timeout_s=timeout_s, every_s=0.05)
