"""Pause and resume of a queue under a live worker."""

import asyncio
import statistics

from tests.queue.begins import Begins
from tests.queue.conftest import StartWorker
from zypher_jobs.contracts.prediction import Priority, Status
from zypher_jobs.queue import PredictionQueue

QUICK_S = 0.25
"""Well below the second after which an idle worker looks by itself."""


async def test_nothing_begins_while_a_queue_is_paused_and_submits_go_on(
    queue: PredictionQueue, start_worker: StartWorker
) -> None:
    """For longer than an idle worker's slow poll, while other queues are served."""
    await queue.pause()
    begins = Begins()
    await start_worker(begins.functions)
    paused = [(await queue.submit("mock", number)).prediction_id for number in range(5)]
    paused += [p.prediction_id for p in await queue.submit_many("mock", list(range(5, 10)))]
    await queue.pause(Priority.LOW)
    timer = await queue.submit("mock", "timer", priority=Priority.LOW, expires_in_s=1.5)
    assert (await queue.wait_for(timer.prediction_id, 5)).status is Status.EXPIRED
    high = await queue.submit("mock", "high", priority=Priority.HIGH)
    assert (await queue.wait_for(high.prediction_id, 5)).status is Status.SUCCEEDED
    assert begins.values == ["high"]
    assert {(q.name, q.depth, q.paused) for q in (await queue.inspect.overview()).queues} == {
        ("high", 0, False),
        ("normal", 10, True),
        ("low", 0, True),
    }
    await queue.resume()
    for prediction_id in paused:
        assert (await queue.wait_for(prediction_id, 5)).status is Status.SUCCEEDED
    assert begins.values[1:] == list(range(10))


async def test_a_resume_wakes_an_idle_worker_at_once(queue: PredictionQueue, start_worker: StartWorker) -> None:
    """Seven times: the median is far below the slow poll."""
    begins = Begins()
    await start_worker(begins.functions)
    taken_s: list[float] = []
    for number in range(7):
        await queue.pause()
        submitted = await queue.submit("mock", number)
        high = await queue.submit("mock", "high", priority=Priority.HIGH)
        await queue.wait_for(high.prediction_id, 5)  # the worker has looked meanwhile, and is idle again
        assert submitted.prediction_id not in begins.ids
        resumed_s = asyncio.get_running_loop().time()
        await queue.resume()
        taken_s.append(await begins.began(submitted.prediction_id) - resumed_s)
    assert statistics.median(taken_s) < QUICK_S, taken_s


async def test_what_runs_ends_though_its_queue_is_paused(queue: PredictionQueue, start_worker: StartWorker) -> None:
    """And what waits behind it is not begun when its place is free."""
    begins = Begins(held=True)
    await start_worker(begins.functions, max_jobs=1)
    running = await queue.submit("mock", "running")
    await begins.count(1)
    waiting = await queue.submit("mock", "waiting")
    await queue.pause()
    begins.released.set()
    assert (await queue.wait_for(running.prediction_id, 5)).status is Status.SUCCEEDED
    high = await queue.submit("mock", "high", priority=Priority.HIGH)
    await queue.wait_for(high.prediction_id, 5)
    assert begins.ids == [running.prediction_id, high.prediction_id]
    assert (await queue.cancel(waiting.prediction_id)).status is Status.CANCELED


async def test_pause_and_resume_twice_are_as_once(queue: PredictionQueue, start_worker: StartWorker) -> None:
    """Two operators do no harm."""
    for _ in range(2):
        await queue.pause()
    submitted = await queue.submit("mock", {"input": "a"})
    await start_worker()
    for _ in range(2):
        await queue.resume()
    assert (await queue.wait_for(submitted.prediction_id, 5)).status is Status.SUCCEEDED
    assert not any(each.paused for each in (await queue.inspect.overview()).queues)
