"""Thousands in one call."""

import asyncio

from tests.queue.conftest import StartWorker
from zypher_jobs.contracts.prediction import Mode, Priority, Status
from zypher_jobs.queue import PredictionQueue
from zypher_jobs.queue.ids import is_prediction_id
from zypher_jobs.testing import wait_until

COUNT = 10_000


async def test_ten_thousand_are_answered_in_their_order_and_all_run(
    queue: PredictionQueue, start_worker: StartWorker
) -> None:
    """Each answer is that of the input at the same place; ids are unique; nothing is lost."""
    submitted = await queue.submit_many("mock", [{"input": str(number)} for number in range(COUNT)])
    ids = [prediction.prediction_id for prediction in submitted]
    assert len(set(ids)) == COUNT
    assert all(map(is_prediction_id, ids))
    assert {prediction.status for prediction in submitted} == {Status.QUEUED}
    assert (await queue.inspect.overview()).queue.depth == COUNT
    await start_worker(max_jobs=100)

    async def all_ended() -> bool:
        return sum(c.count for c in (await queue.inspect.overview(latest=0)).counts) >= COUNT

    await wait_until(all_ended, timeout_s=60, every_s=0.1)
    overview = await queue.inspect.overview(latest=0)
    assert [(c.model, c.mode, c.status, c.count) for c in overview.counts] == [
        ("mock", Mode.ASYNC, Status.SUCCEEDED, COUNT)
    ]
    assert (overview.queue.depth, overview.queue.running) == (0, 0)
    for start in range(0, COUNT, 500):
        ended = await asyncio.gather(*(queue.prediction(prediction_id) for prediction_id in ids[start : start + 500]))
        assert [p.output["input"] for p in ended] == [str(number) for number in range(start, start + 500)]
        assert {p.attempts for p in ended} == {1}


async def test_the_answers_say_what_single_submits_say(queue: PredictionQueue) -> None:
    """Model, priority and creation as the record has them; positions grow."""
    submitted = await queue.submit_many("mock", [{"input": "a"}] * 20, priority=Priority.LOW, caller="me")
    assert {(p.model, p.priority, p.mode) for p in submitted} == {("mock", Priority.LOW, Mode.ASYNC)}
    for place, prediction in enumerate(submitted):
        assert prediction.queue_position == place
        read = await queue.prediction(prediction.prediction_id)
        assert (read.created_at, read.priority, read.queue_position) == (prediction.created_at, Priority.LOW, place)


async def test_nothing_at_all_may_be_submitted(queue: PredictionQueue) -> None:
    """An empty list is answered with one."""
    assert await queue.submit_many("mock", []) == []
