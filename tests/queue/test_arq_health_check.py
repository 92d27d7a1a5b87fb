"""``arq --check`` on our worker."""

import asyncio
import os
import sys

import pytest
from arq.connections import RedisSettings
from arq.worker import async_check_health

from tests.queue.begins import Begins
from tests.queue.conftest import StartWorker, running_worker
from zypher_jobs.contracts.prediction import Priority
from zypher_jobs.models import ModelRegistry
from zypher_jobs.queue import PredictionQueue
from zypher_jobs.settings import Settings
from zypher_jobs.testing import wait_until

# arq 0.28 closes its client so
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated close:DeprecationWarning")


async def is_healthy(settings: Settings) -> bool:
    """What ``arq --check`` asks."""
    assert settings.redis_url is not None
    return await async_check_health(RedisSettings.from_dsn(settings.redis_url)) == 0


async def stays_healthy(settings: Settings, queue: PredictionQueue, *, for_s: float) -> bool:
    """Whether it is healthy all the while, by the deadline of a prediction that nobody begins."""
    timer = await queue.submit("mock", "timer", priority=Priority.LOW, expires_in_s=for_s)
    waiting = asyncio.create_task(queue.wait_for(timer.prediction_id, 10))
    seen: list[bool] = []

    async def is_over() -> bool:
        seen.append(await is_healthy(settings))
        return waiting.done()

    await wait_until(is_over, every_s=0.05)
    return all(seen)


async def test_our_worker_is_healthy_for_arq_as_long_as_it_runs(
    settings: Settings, registry: ModelRegistry, queue: PredictionQueue
) -> None:
    """Not before, and not after its end."""
    assert not await is_healthy(settings)
    async with running_worker(settings, registry, health_check_interval=1):
        await wait_until(lambda: is_healthy(settings))
        ended = await queue.wait_for((await queue.submit("mock", {"input": "a"})).prediction_id, 10)
        assert ended.status.is_terminal
        assert await is_healthy(settings)
    assert not await is_healthy(settings)


async def test_an_idle_worker_stays_healthy(
    settings: Settings, queue: PredictionQueue, start_worker: StartWorker
) -> None:
    """The key is written again before it ends, with nothing to do: for longer than two intervals it never lacks."""
    await start_worker(health_check_interval=1)
    await wait_until(lambda: is_healthy(settings))
    await queue.pause(Priority.LOW)
    assert await stays_healthy(settings, queue, for_s=2.5)


async def test_a_worker_whose_places_are_all_taken_is_healthy(
    settings: Settings, queue: PredictionQueue, start_worker: StartWorker
) -> None:
    """Busy is not dead: the check holds while a prediction outlasts the interval and its key's lifetime."""
    begins = Begins(held=True)
    await start_worker(begins.functions, max_jobs=1, health_check_interval=1)
    await queue.submit("mock", "busy")
    await begins.count(1)
    healthy = await stays_healthy(settings, queue, for_s=2.5)
    begins.released.set()
    assert healthy


async def test_zypher_worker_is_healthy_for_the_arq_command(settings: Settings) -> None:
    """As a process of its own; gone again when it was told to end."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ZYPHER_")}
    environ["ZYPHER_REDIS_URL"] = str(settings.redis_url)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "zypher_jobs.cli", "worker"), env=environ, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await wait_until(lambda: is_healthy(settings), timeout_s=30, every_s=0.1)
        check = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "arq", "--check", "zypher_jobs.worker.main.WorkerSettings"),
            env=environ,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert await asyncio.wait_for(check.wait(), 30) == 0
    finally:
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 20) == 0
    assert not await is_healthy(settings)
