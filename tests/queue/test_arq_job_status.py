"""arq's ``Job.status`` through the life of our predictions."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from arq.connections import ArqRedis, RedisSettings, create_pool
from arq.jobs import Job, JobStatus
from arq.worker import Retry, func

from tests.queue.begins import Begins
from tests.queue.conftest import StartWorker
from zypher_jobs.contracts.prediction import Priority
from zypher_jobs.queue import PredictionQueue, deserialize, keys, serialize
from zypher_jobs.settings import Settings
from zypher_jobs.testing import wait_until


@pytest.fixture
async def stock(settings: Settings) -> AsyncIterator[ArqRedis]:
    """arq's own client."""
    assert settings.redis_url is not None
    client = await create_pool(
        RedisSettings.from_dsn(settings.redis_url), job_serializer=serialize, job_deserializer=deserialize
    )
    yield client
    await client.aclose()


def job_of(stock: ArqRedis, prediction_id: str, priority: Priority = Priority.NORMAL) -> Job:
    """arq's handle on it."""
    return Job(prediction_id, stock, _queue_name=keys.QUEUES[priority], _deserializer=deserialize)


@pytest.mark.parametrize("priority", list(Priority))
async def test_queued_in_progress_complete(
    queue: PredictionQueue, stock: ArqRedis, start_worker: StartWorker, priority: Priority
) -> None:
    """In each queue, under the queue's name."""
    submitted = await queue.submit("mock", "x", priority=priority)
    job = job_of(stock, submitted.prediction_id, priority)
    assert await job.status() is JobStatus.queued
    begins = Begins(held=True)
    await start_worker(begins.functions)
    await begins.count(1)
    assert await job.status() is JobStatus.in_progress
    begins.released.set()
    await queue.wait_for(submitted.prediction_id, 10)
    assert await job.status() is JobStatus.complete
    assert await job.result(timeout=1) == "x"


async def test_one_that_waits_for_its_next_attempt_is_deferred(
    queue: PredictionQueue, stock: ArqRedis, start_worker: StartWorker
) -> None:
    """As a job of arq's that was enqueued for later."""

    async def retries(ctx: dict[Any, Any], *_: Any) -> None:
        raise Retry(defer=60)

    await start_worker([func(retries, name="predict")])
    ours = job_of(stock, (await queue.submit("mock", "x")).prediction_id)

    async def is_deferred() -> bool:
        return await ours.status() is JobStatus.deferred

    await wait_until(is_deferred)
    theirs = await stock.enqueue_job("predict", _defer_by=60)
    assert theirs is not None
    assert await theirs.status() is JobStatus.deferred


async def test_failed_canceled_and_expired_ones_are_complete(
    queue: PredictionQueue, stock: ArqRedis, start_worker: StartWorker
) -> None:
    """Whatever the verdict, arq has a result of each."""
    await queue.pause()
    canceled = await queue.submit("mock", {"input": "a"})
    await queue.cancel(canceled.prediction_id)
    expired = await queue.submit("mock", {"input": "a"}, expires_in_s=0.01)
    await start_worker()
    failed = await queue.submit("nobody", {}, priority=Priority.HIGH)
    for prediction, priority in ((canceled, Priority.NORMAL), (expired, Priority.NORMAL), (failed, Priority.HIGH)):
        await queue.wait_for(prediction.prediction_id, 10)
        job = job_of(stock, prediction.prediction_id, priority)
        assert await job.status() is JobStatus.complete
        info = await job.result_info()
        assert info is not None
        assert not info.success


async def test_an_unknown_and_a_dropped_one_are_not_found(
    queue: PredictionQueue, stock: ArqRedis, start_worker: StartWorker
) -> None:
    """Nothing is left of what was dropped, for arq neither."""
    await start_worker()
    failed = await queue.submit("nobody", {})
    await queue.wait_for(failed.prediction_id, 10)
    assert await queue.drop([failed.prediction_id]) == 1
    for prediction_id in ("nobody", failed.prediction_id):
        assert await job_of(stock, prediction_id).status() is JobStatus.not_found


async def test_everything_waiting_is_seen_by_arqs_queued_jobs(queue: PredictionQueue, stock: ArqRedis) -> None:
    """``ArqRedis.queued_jobs`` reads our queue: each with function, model and input."""
    submitted = await queue.submit_many("mock", [{"input": str(number)} for number in range(5)])
    jobs = await stock.queued_jobs(queue_name=keys.QUEUES[Priority.NORMAL])
    assert {job.job_id for job in jobs} == {prediction.prediction_id for prediction in submitted}
    assert {job.function for job in jobs} == {"predict"}
    assert sorted(job.args[1]["input"] for job in jobs) == ["0", "1", "2", "3", "4"]
