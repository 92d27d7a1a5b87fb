"""An idle worker is woken by what is submitted, and wakes by itself for what is due later."""

import asyncio
import statistics
import time
from itertools import pairwise
from typing import Any

from arq.worker import Retry, func

from tests.queue.begins import Begins
from tests.queue.conftest import StartWorker
from zypher_jobs.contracts.prediction import Priority, Status
from zypher_jobs.queue import PredictionQueue
from zypher_jobs.testing import wait_until

LATE_S = 0.12
"""How long after it is due a deferred job may begin: the exact wake-up, and a busy machine."""


def now_s() -> float:
    """The event loop's clock."""
    return asyncio.get_running_loop().time()


async def test_an_idle_worker_is_woken_by_a_submit(queue: PredictionQueue, start_worker: StartWorker) -> None:
    """Ten times: the median pick-up is far below the second of the slow poll."""
    begins = Begins()
    await start_worker(begins.functions)
    await begins.began((await queue.submit("mock", "first")).prediction_id)
    taken_s: list[float] = []
    for number in range(10):
        submitted_s = now_s()
        submitted = await queue.submit("mock", number, priority=list(Priority)[number % 3])
        taken_s.append(await begins.began(submitted.prediction_id) - submitted_s)
        await queue.wait_for(submitted.prediction_id, 5)
    assert statistics.median(taken_s) < 0.1, taken_s


async def test_a_bulk_submit_wakes_as_many_workers_as_it_needs(
    queue: PredictionQueue, start_worker: StartWorker
) -> None:
    """Three idle workers with ten places each: thirty run at once, long before the slow poll of any."""
    begins = Begins(held=True)
    for _ in range(3):
        await start_worker(begins.functions, max_jobs=10)
    warm = [await queue.submit("mock", "warm") for _ in range(3)]
    await begins.count(3)
    begins.released.set()
    for prediction in warm:
        await queue.wait_for(prediction.prediction_id, 5)
    begins.released.clear()
    submitted_s = now_s()
    await queue.submit_many("mock", ["x"] * 30)
    await begins.count(33)
    assert begins.at_s[-1] - submitted_s < 0.5
    begins.released.set()


async def test_a_deferred_job_begins_when_it_is_due(queue: PredictionQueue, start_worker: StartWorker) -> None:
    """arq's ``enqueue_job(_defer_by=0.6)`` before a worker is there: not earlier, and at most a moment later."""
    begins = Begins()
    enqueued_s = now_s()
    job = await queue.enqueue_job("predict", "mock", "deferred", _defer_by=0.6)
    assert job is not None
    await start_worker(begins.functions)
    late_s = await begins.began(job.job_id) - enqueued_s - 0.6
    assert -0.005 < late_s < LATE_S


async def test_a_job_deferred_while_the_worker_is_idle_begins_when_it_is_due(
    queue: PredictionQueue, start_worker: StartWorker
) -> None:
    """The worker waits for nothing in particular when the job is enqueued; five times, by our client."""
    begins = Begins()
    await start_worker(begins.functions)
    await begins.began((await queue.submit("mock", "first")).prediction_id)
    late_s: list[float] = []
    for number in range(5):
        enqueued_s = now_s()
        job = await queue.enqueue_job("predict", "mock", number, _defer_by=0.3)
        assert job is not None
        late_s.append(await begins.began(job.job_id) - enqueued_s - 0.3)
    assert min(late_s) > -0.005
    assert max(late_s) < LATE_S, late_s


async def test_an_idle_worker_is_woken_by_our_clients_enqueue_job(
    queue: PredictionQueue, start_worker: StartWorker
) -> None:
    """As by a submit: the client is the same."""
    begins = Begins()
    await start_worker(begins.functions)
    await begins.began((await queue.submit("mock", "first")).prediction_id)
    taken_s: list[float] = []
    for number in range(7):
        enqueued_s = now_s()
        job = await queue.enqueue_job("predict", "mock", number)
        assert job is not None
        taken_s.append(await begins.began(job.job_id) - enqueued_s)
    assert statistics.median(taken_s) < 0.1, taken_s


async def test_a_retry_with_a_delay_begins_when_it_is_due(queue: PredictionQueue, start_worker: StartWorker) -> None:
    """The worker that handed it back wakes for it; a prediction's as any arq job's."""
    began_s: dict[str, list[float]] = {}

    async def retries(ctx: dict[Any, Any], *_: Any) -> None:
        began_s.setdefault(ctx["job_id"], []).append(now_s())
        if ctx["job_try"] < 4:
            raise Retry(defer=0.3)

    await start_worker([func(retries, name="predict")])
    submitted = await queue.submit("mock", "again")
    job = await queue.enqueue_job("predict")
    assert job is not None
    for job_id in (submitted.prediction_id, job.job_id):
        await wait_until(lambda job_id=job_id: len(began_s.get(job_id, ())) == 4)
        pauses_s = [later - earlier for earlier, later in pairwise(began_s[job_id])]
        assert min(pauses_s) > 0.295
        assert max(pauses_s) < 0.3 + LATE_S, pauses_s


async def test_the_earliest_of_many_deferred_ones_sets_the_time(
    queue: PredictionQueue, start_worker: StartWorker
) -> None:
    """Enqueued in reverse order, and one that comes meanwhile changes nothing for the others."""
    begins = Begins()
    enqueued_s = now_s()
    delays_s = (1.2, 0.9, 0.6)
    jobs = [await queue.enqueue_job("predict", "mock", delay_s, _defer_by=delay_s) for delay_s in delays_s]
    await start_worker(begins.functions)
    await begins.began((await queue.submit("mock", "between")).prediction_id)
    for job, delay_s in zip(reversed(jobs), reversed(delays_s), strict=True):
        assert job is not None
        late_s = await begins.began(job.job_id) - enqueued_s - delay_s
        assert -0.005 < late_s < LATE_S, delay_s
    assert begins.values == ["between", 0.6, 0.9, 1.2]


async def test_a_caller_that_waits_for_one_after_the_other_never_waits_for_a_poll(
    queue: PredictionQueue, start_worker: StartWorker
) -> None:
    """What the worker believes of its standing idle is true, whichever of its connections is faster."""
    await start_worker()
    longest_s = 0.0
    for number in range(400):
        began_s = time.perf_counter()
        submitted = await queue.submit("mock", {"input": str(number)}, will_wait=True)
        assert (await queue.wait_for(submitted, 10)).status is Status.SUCCEEDED
        if number:
            longest_s = max(longest_s, time.perf_counter() - began_s)
    assert longest_s < 0.5
