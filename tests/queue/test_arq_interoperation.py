"""Unmodified arq on our predictions, and ours on arq's jobs."""

import asyncio
import sys
from typing import Any

import pytest
from arq.connections import ArqRedis, RedisSettings, create_pool
from arq.jobs import Job, JobStatus
from arq.worker import Worker, func

from tests.queue.conftest import StartWorker
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.models import ModelRegistry
from zypher_jobs.queue import PredictionQueue, deserialize, serialize
from zypher_jobs.queue.scripts import Scripts
from zypher_jobs.queue.wire import Wire
from zypher_jobs.settings import Settings
from zypher_jobs.testing import wait_until
from zypher_jobs.worker.stock import predict_and_tell, record_end, record_start

COMMAND = "zypher_jobs.worker.main.WorkerSettings"


async def stock_client(settings: Settings) -> ArqRedis:
    """arq's own client on the same database."""
    assert settings.redis_url is not None
    return await create_pool(
        RedisSettings.from_dsn(settings.redis_url), job_serializer=serialize, job_deserializer=deserialize
    )


def environment(settings: Settings) -> dict[str, str]:
    """For processes of the ``arq`` command."""
    assert settings.redis_url is not None
    return {"ZYPHER_REDIS_URL": settings.redis_url, "ZYPHER_MOCK_LATENCY_MS": "0", "PATH": "/usr/bin:/bin"}


async def test_arqs_job_reads_our_prediction(
    queue: PredictionQueue, start_worker: StartWorker, settings: Settings
) -> None:
    """``Job.status``, ``.info`` and ``.result`` before and after it ran."""
    client = await stock_client(settings)
    submitted = await queue.submit("mock", {"input": "hello"})
    job = Job(submitted.prediction_id, client, _deserializer=deserialize)
    assert await job.status() is JobStatus.queued
    info = await job.info()
    assert info is not None
    assert (info.function, info.args) == ("predict", ["mock", {"input": "hello"}])
    await start_worker()
    assert (await job.result(timeout=10, poll_delay=0.01))["input"] == "hello"
    assert await job.status() is JobStatus.complete
    result = await job.result_info()
    assert result is not None
    assert (result.success, result.queue_name, result.job_id) == (True, "arq:queue", submitted.prediction_id)
    await client.aclose()


async def test_a_job_of_arqs_client_runs_on_our_worker(start_worker: StartWorker, settings: Settings) -> None:
    """Enqueued without our script, so without a record."""
    await start_worker()
    client = await stock_client(settings)
    job = await client.enqueue_job("predict", "mock", {"input": "hello"})
    assert job is not None
    assert (await job.result(timeout=10, poll_delay=0.01))["input"] == "hello"
    await client.aclose()


@pytest.mark.filterwarnings("ignore:Call to deprecated close:DeprecationWarning")  # arq 0.28 closes its client so
async def test_our_prediction_runs_on_a_stock_worker_with_its_record(
    queue: PredictionQueue, settings: Settings, registry: ModelRegistry
) -> None:
    """Status, times, preview and counts are kept by arq's own hooks, successes and failures alike."""
    good = await queue.submit("mock", {"input": "hello"})
    bad = await queue.submit("mock", {"inptu": "hello"})
    client = await stock_client(settings)
    wire = Wire(client.connection_pool)
    worker = Worker(
        [func(predict_and_tell, name="predict")],
        redis_pool=client,
        ctx={"registry": registry, "settings": settings, "worker_id": "stock", "scripts": Scripts(wire)},
        on_job_start=record_start,
        after_job_end=record_end,
        job_serializer=serialize,
        job_deserializer=deserialize,
        burst=True,
        poll_delay=0.01,
        handle_signals=False,
    )
    await asyncio.wait_for(worker.async_run(), 10)
    await wire.aclose()
    await worker.close()
    ended = await queue.prediction(good.prediction_id)
    assert (ended.status, ended.output["input"], ended.worker) == (Status.SUCCEEDED, "hello", "stock")
    failed = await queue.prediction(bad.prediction_id)
    assert failed.status is Status.FAILED
    assert failed.error is not None
    assert failed.error.code == "invalid_input"
    overview = await queue.inspect.overview()
    assert {c.status: c.count for c in overview.counts} == {Status.SUCCEEDED: 1, Status.FAILED: 1}
    assert len(overview.latest) == 2


async def test_the_arq_command_drains_the_queue_and_checks_health(queue: PredictionQueue, settings: Settings) -> None:
    """``arq zypher_jobs.worker.main.WorkerSettings`` as a process, then ``--check``."""
    submitted = [await queue.submit("mock", {"input": str(number)}) for number in range(10)]
    worker = await asyncio.create_subprocess_exec(
        *_arq(COMMAND), env=environment(settings), stderr=asyncio.subprocess.PIPE
    )
    try:
        for prediction in submitted:
            ended = await queue.wait_for(prediction.prediction_id, 20)
            assert ended.status is Status.SUCCEEDED
        checked = await wait_until(lambda: _checked(settings), timeout_s=20, every_s=0.5)
        assert checked
    finally:
        worker.terminate()
        await worker.communicate()


async def _checked(settings: Settings) -> bool:
    check = await asyncio.create_subprocess_exec(
        *_arq(COMMAND, "--check"), env=environment(settings), stderr=asyncio.subprocess.PIPE
    )
    await check.communicate()
    return check.returncode == 0


def _arq(*arguments: str) -> list[Any]:
    return [sys.executable, "-m", "arq", *arguments]
