"""A limit of how many may wait in one queue."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from tests.queue.begins import Begins
from tests.queue.conftest import StartWorker
from zypher_jobs.contracts.prediction import Priority, Status
from zypher_jobs.errors import QueueFull, UnknownPrediction
from zypher_jobs.queue import PredictionQueue
from zypher_jobs.settings import Settings

LIMIT = 5


@pytest.fixture
async def limited(settings: Settings) -> AsyncIterator[PredictionQueue]:
    """A client that lets no more than ``LIMIT`` wait in one queue."""
    client = PredictionQueue.from_settings(msgspec.structs.replace(settings, queue_limit=LIMIT))
    yield client
    await client.aclose()


async def refusal(queue: PredictionQueue) -> QueueFull:
    """What a submit over the limit says."""
    with pytest.raises(QueueFull) as caught:
        await queue.submit("mock", {"input": "too many"})
    return caught.value


async def test_beyond_the_limit_a_submit_is_refused_and_nothing_of_it_is_queued(limited: PredictionQueue) -> None:
    """It says how many wait and how many may; with nothing to tell the rate by, it asks for 30 s."""
    for number in range(LIMIT):
        await limited.submit("mock", {"input": str(number)})
    with pytest.raises(QueueFull) as caught:
        await limited.submit("mock", {"input": "too many"}, prediction_id="refused", expires_in_s=60)
    refused = caught.value
    assert (refused.code, refused.depth, refused.limit, refused.retry_after_s) == ("queue_full", LIMIT, LIMIT, 30)
    with pytest.raises(UnknownPrediction):
        await limited.prediction("refused")
    overview = await limited.inspect.overview()
    assert overview.queue.depth == LIMIT
    assert len(overview.latest) == LIMIT


async def test_there_is_room_again_once_something_was_begun(
    limited: PredictionQueue, start_worker: StartWorker
) -> None:
    """What runs does not count: only what waits. The id that was refused may be used again."""
    for number in range(LIMIT):
        await limited.submit("mock", {"input": str(number)})
    with pytest.raises(QueueFull):
        await limited.submit("mock", {"input": "x"}, prediction_id="again")
    begins = Begins(held=True)
    await start_worker(begins.functions, max_jobs=2)
    await begins.count(2)
    assert (await limited.submit("mock", {"input": "x"}, prediction_id="again")).status is Status.QUEUED
    await limited.submit("mock", {"input": "y"})
    await refusal(limited)
    begins.released.set()
    assert (await limited.wait_for("again", 10)).status is Status.SUCCEEDED


async def test_a_cancel_makes_room(limited: PredictionQueue) -> None:
    """At once."""
    waiting = [await limited.submit("mock", {"input": str(number)}) for number in range(LIMIT)]
    await refusal(limited)
    await limited.cancel(waiting[2].prediction_id)
    await limited.submit("mock", {"input": "fits"})
    await refusal(limited)


async def test_each_priority_has_its_own_limit(limited: PredictionQueue) -> None:
    """A full queue of normal ones refuses no urgent one."""
    for _ in range(LIMIT):
        await limited.submit("mock", {"input": "a"})
    await refusal(limited)
    assert (await limited.submit("mock", {"input": "a"}, priority=Priority.HIGH)).status is Status.QUEUED


async def test_an_id_that_waits_already_is_answered_though_the_queue_is_full(limited: PredictionQueue) -> None:
    """A caller that asks again for what it has is not one too many."""
    for number in range(LIMIT):
        await limited.submit("mock", {"input": "a"}, prediction_id=f"id-{number}")
    again = await limited.submit("mock", {"input": "a"}, prediction_id="id-3")
    assert (again.prediction_id, again.status) == ("id-3", Status.QUEUED)


async def test_submits_at_once_never_exceed_the_limit(limited: PredictionQueue) -> None:
    """Fifty at the same time: as many as may are taken, the others refused."""
    answers = await asyncio.gather(
        *(limited.submit("mock", {"input": str(number)}) for number in range(50)), return_exceptions=True
    )
    assert sum(isinstance(answer, QueueFull) for answer in answers) == 50 - LIMIT
    assert (await limited.inspect.overview()).queue.depth == LIMIT


async def test_of_many_those_before_the_limit_are_queued(limited: PredictionQueue) -> None:
    """And stay so, as the call says."""
    with pytest.raises(QueueFull):
        await limited.submit_many("mock", [{"input": str(number)} for number in range(20)])
    assert (await limited.inspect.overview()).queue.depth == LIMIT


async def test_when_to_try_again_is_what_the_queue_drains_at(
    queue: PredictionQueue, limited: PredictionQueue, start_worker: StartWorker
) -> None:
    """A worker has begun a known number a second for some seconds: the answer is the excess by that rate."""
    await queue.submit_many("mock", ["x"] * 2_000)
    begins = Begins(run_s=0.01)
    await start_worker(begins.functions, max_jobs=1)
    await begins.count(1)
    started_s, before = begins.at_s[0], len(begins.ids)
    await begins.count(before + 200)
    per_s = (len(begins.ids) - before) / (begins.at_s[-1] - started_s)
    refused = await refusal(limited)
    assert 1_500 < refused.depth < 2_000
    expected_s = (refused.depth - LIMIT + 1) / per_s
    assert expected_s / 2 < refused.retry_after_s < expected_s * 2, f"drains at {per_s:.0f}/s"
