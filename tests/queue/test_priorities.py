"""Three queues: a preference, and none that starves."""

from collections import Counter

import pytest

from tests.queue.begins import Begins
from tests.queue.conftest import StartWorker
from zypher_jobs.contracts.prediction import Priority
from zypher_jobs.queue import PredictionQueue


@pytest.mark.parametrize("concurrency", [1, 10])
async def test_the_priorities_share_six_to_three_to_one(
    queue: PredictionQueue, start_worker: StartWorker, concurrency: int
) -> None:
    """With more waiting in each than is begun: of the first hundred about sixty, thirty and ten."""
    for priority in Priority:
        await queue.submit_many("mock", [priority.value] * 200, priority=priority)
    begins = Begins()
    await start_worker(begins.functions, max_jobs=concurrency)
    await begins.count(100)
    shares = Counter(begins.values[:100])
    assert 50 <= shares["high"] <= 70, shares
    assert 20 <= shares["normal"] <= 40, shares
    assert 5 <= shares["low"] <= 15, shares


async def test_an_urgent_one_overtakes_thousands(queue: PredictionQueue, start_worker: StartWorker) -> None:
    """Submitted last, begun within the next ten."""
    await queue.submit_many("mock", ["normal"] * 2_000)
    await queue.submit_many("mock", ["low"] * 2_000, priority=Priority.LOW)
    begins = Begins(held=True)
    await start_worker(begins.functions, max_jobs=1)
    await begins.count(1)
    await queue.submit("mock", "high", priority=Priority.HIGH)
    begins.released.set()
    await begins.count(20)
    assert begins.values.index("high") <= 10


async def test_a_low_one_is_begun_though_urgent_ones_never_end(
    queue: PredictionQueue, start_worker: StartWorker
) -> None:
    """Behind 2,000 of high priority it is among the first twenty or so."""
    await queue.submit_many("mock", ["high"] * 2_000, priority=Priority.HIGH)
    await queue.submit("mock", "low", priority=Priority.LOW)
    begins = Begins()
    await start_worker(begins.functions, max_jobs=1)
    await begins.count(30)
    assert begins.values.index("low") <= 20


async def test_places_that_a_priority_does_not_need_go_to_the_others(
    queue: PredictionQueue, start_worker: StartWorker
) -> None:
    """Low ones alone fill the worker: nothing is kept free for what is not there."""
    await queue.submit_many("mock", ["low"] * 20, priority=Priority.LOW)
    begins = Begins(held=True)
    await start_worker(begins.functions, max_jobs=20)
    await begins.count(20)
    assert set(begins.values) == {"low"}


async def test_what_ends_is_known_of_each_queue(queue: PredictionQueue, start_worker: StartWorker) -> None:
    """Its own rate; together they are that of all."""
    await start_worker()
    for priority, count in ((Priority.HIGH, 30), (Priority.LOW, 10)):
        for each in await queue.submit_many("mock", [{"input": "a"}] * count, priority=priority):
            await queue.wait_for(each.prediction_id, 10)
    facts = await queue.inspect.overview(latest=0)
    rates = {each.name: each.ended_per_s or 0.0 for each in facts.queues}
    assert rates["high"] == pytest.approx(3 * rates["low"])
    assert rates["low"] > rates["normal"] == 0
    assert sum(rates.values()) == pytest.approx(facts.ended_per_s)


async def test_a_prediction_says_its_priority(queue: PredictionQueue, start_worker: StartWorker) -> None:
    """Before and after it ran; a queue's depth is its own."""
    submitted = {priority: await queue.submit("mock", {"input": "a"}, priority=priority) for priority in Priority}
    assert [(q.name, q.depth) for q in (await queue.inspect.overview()).queues] == [(p, 1) for p in Priority]
    await start_worker()
    for priority, prediction in submitted.items():
        assert prediction.priority is priority
        assert (await queue.wait_for(prediction.prediction_id, 10)).priority is priority
