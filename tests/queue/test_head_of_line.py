"""What is in progress elsewhere is never in the way of what waits behind it."""

from collections.abc import Sequence

import pytest
from arq.constants import in_progress_key_prefix

from tests.queue.begins import Begins
from tests.queue.conftest import StartWorker
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.queue import PredictionQueue


async def taken_by_stock_workers(queue: PredictionQueue, job_ids: Sequence[str]) -> None:
    """arq's in-progress keys as its own worker writes them; it leaves the scores, which are past."""
    async with queue.pipeline(transaction=False) as pipe:
        for job_id in job_ids:
            pipe.set(in_progress_key_prefix + job_id, b"1", px=60_000)
        await pipe.execute()


@pytest.mark.parametrize("count", [127, 128, 129, 300, 700])
async def test_a_fresh_job_begins_behind_hundreds_that_stock_workers_run(
    queue: PredictionQueue, start_worker: StartWorker, count: int
) -> None:
    """Jobs of arq's own client, whose scores are times: the fresh one stands at the very end."""
    jobs = [await queue.enqueue_job("predict", "mock", "elsewhere") for _ in range(count)]
    elsewhere = [job.job_id for job in jobs if job is not None]
    await taken_by_stock_workers(queue, elsewhere)
    fresh = await queue.enqueue_job("predict", "mock", "fresh")
    assert fresh is not None
    begins = Begins()
    await start_worker(begins.functions, max_jobs=10)
    await begins.began(fresh.job_id, timeout_s=5)
    assert begins.values == ["fresh"]


@pytest.mark.parametrize("room", [1, 100])
async def test_a_fresh_prediction_begins_behind_hundreds_that_stock_workers_run(
    queue: PredictionQueue, start_worker: StartWorker, room: int
) -> None:
    """Predictions of one caller, which a stock worker leaves at their places in the order of turns."""
    elsewhere = await queue.submit_many("mock", ["elsewhere"] * 300)
    await taken_by_stock_workers(queue, [prediction.prediction_id for prediction in elsewhere])
    fresh = await queue.submit("mock", "fresh")
    begins = Begins()
    await start_worker(begins.functions, max_jobs=room)
    assert (await queue.wait_for(fresh.prediction_id, 5)).status is Status.SUCCEEDED
    assert begins.values == ["fresh"]


async def test_a_fresh_prediction_begins_though_our_own_workers_run_hundreds(
    queue: PredictionQueue, start_worker: StartWorker
) -> None:
    """Three hundred under leases of another worker."""
    busy, idle = Begins(held=True), Begins()
    await queue.submit_many("mock", ["elsewhere"] * 300)
    await start_worker(busy.functions, max_jobs=300)
    await busy.count(300)
    await queue.pause()
    fresh = await queue.submit("mock", "fresh")
    await start_worker(idle.functions, max_jobs=1)
    await queue.resume()
    assert (await queue.wait_for(fresh.prediction_id, 5)).status is Status.SUCCEEDED
    assert (fresh.queue_position, idle.values) == (0, ["fresh"])
    busy.released.set()
