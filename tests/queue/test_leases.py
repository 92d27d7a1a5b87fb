"""Claims, fencing tokens and finishes, script by script."""

import time

import pytest

from tests.queue.steps import claim, finish, renew
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.queue import PredictionQueue, keys
from zypher_jobs.queue.connection import RedisClient
from zypher_jobs.queue.rows import Claimed
from zypher_jobs.testing import wait_until


async def test_a_claim_takes_as_many_as_there_is_room_for_oldest_first(queue: PredictionQueue) -> None:
    """A second worker takes the rest, and nothing is taken twice."""
    ids = [(await queue.submit("mock", {"input": str(n)})).prediction_id for n in range(5)]
    first = await claim(queue, "w1", room=3)
    second = await claim(queue, "w2", room=3)
    taken = [c.prediction_id for c in first.claims + second.claims]
    assert sorted(taken) == sorted(ids)
    assert len(first.claims) == 3
    assert (await queue.prediction(taken[0])).status is Status.RUNNING


async def test_a_thousand_running_ones_at_the_head_hide_nothing(queue: PredictionQueue) -> None:
    """Stock arq reads only the first of its queue and never sees a fresh job behind those in progress."""
    for number in range(300):
        await queue.submit("mock", {"input": str(number)})
    assert len((await claim(queue, "w1", room=300)).claims) == 300
    fresh = await queue.submit("mock", {"input": "fresh"})
    assert [c.prediction_id for c in (await claim(queue, "w2", room=1)).claims] == [fresh.prediction_id]
    assert fresh.queue_position == 0


async def test_a_lapsed_lease_is_claimed_again_and_the_late_finish_refused(queue: PredictionQueue) -> None:
    """One terminal write: the one of the worker that holds the lease."""
    submitted = await queue.submit("mock", {"input": "a"})
    lost = await claim(queue, "w1", lease_ms=1)
    again = await _claim_when_lapsed(queue)
    assert again.claims[0].attempt == 2
    assert await finish(queue, lost) == [False]
    assert (await queue.prediction(submitted.prediction_id)).status is Status.RUNNING
    assert await finish(queue, again) == [True]
    ended = await queue.prediction(submitted.prediction_id)
    assert (ended.status, ended.attempts, ended.worker) == (Status.SUCCEEDED, 2, "w2")
    assert await finish(queue, lost) == [False]
    assert (await queue.inspect.overview()).refused_finishes == 2


async def test_a_report_sent_again_after_its_reply_was_lost_is_accepted_and_changes_nothing(
    queue: PredictionQueue,
) -> None:
    """The worker cannot know that it was written; it is counted once."""
    submitted = await queue.submit("mock", {"input": "a"})
    claimed = await claim(queue)
    assert await finish(queue, claimed) == [True]
    ended = await queue.prediction(submitted.prediction_id)
    assert await finish(queue, claimed) == [True]
    assert await queue.prediction(submitted.prediction_id) == ended
    assert [count.count for count in (await queue.inspect.overview()).counts] == [1]


@pytest.mark.parametrize("defer_ms", [0, 60_000])
@pytest.mark.parametrize("has_record", [True, False])
async def test_a_renewal_that_comes_behind_a_hand_back_takes_nothing_up_again(
    queue: PredictionQueue, has_record: bool, defer_ms: int
) -> None:
    """The keeper has not heard yet that its worker let go: the prediction, or arq's job, stays where it went."""
    if has_record:
        await queue.submit("mock", {"input": "a"})
    else:
        await queue.enqueue_job("predict")
    claimed = await claim(queue)
    (taken,) = claimed.claims
    assert await finish(queue, claimed, Status.QUEUED, defer_ms=defer_ms) == [True]
    redis: RedisClient = queue
    place = await redis.zscore(taken.queue, taken.prediction_id)
    assert await renew(queue, claimed) == ({taken.prediction_id}, set())
    assert await redis.zscore(taken.queue, taken.prediction_id) == place
    assert not await redis.exists(keys.ARQ_IN_PROGRESS + taken.prediction_id)


@pytest.mark.parametrize(("heard_of", "lost"), [(False, 1), (True, 0)])
async def test_an_attempt_whose_worker_lives_on_does_not_count_towards_poison(
    queue: PredictionQueue, heard_of: bool, lost: int
) -> None:
    """Its claim's reply was lost, or it was away for a while; nothing has killed it."""
    redis: RedisClient = queue
    await queue.submit("mock", {"input": "a"})
    await claim(queue, "w1", lease_ms=1)
    if heard_of:
        await redis.zadd(keys.WORKERS, {"w1": (time.time() + 60) * 1000})
    again = await _claim_when_lapsed(queue)
    assert (again.claims[0].attempt, again.claims[0].lost) == (2, lost)


async def test_a_lost_attempt_is_kept_with_its_worker(queue: PredictionQueue) -> None:
    """Each attempt's start, end, worker and reason can be read."""
    submitted = await queue.submit("mock", {"input": "a"})
    await claim(queue, "w1", lease_ms=1)
    again = await _claim_when_lapsed(queue)
    await finish(queue, again, Status.QUEUED, error_code="handed_back", error_message="w2 drained")
    await finish(queue, await claim(queue, "w3"))
    ended = await queue.prediction(submitted.prediction_id)
    told = [(past.number, past.worker, past.error.code) for past in ended.past_attempts]
    assert told == [(1, "w1", "worker_lost"), (2, "w2", "handed_back")]
    assert all(past.started_at <= past.finished_at for past in ended.past_attempts)
    assert (ended.attempts, ended.worker) == (3, "w3")


async def test_a_lapsed_lease_that_nobody_took_still_finishes(queue: PredictionQueue) -> None:
    """Redis was away for longer than the lease: the work is done, why do it twice."""
    await queue.submit("mock", {"input": "a"})
    claimed = await claim(queue, "w1", lease_ms=1)
    key = keys.ARQ_IN_PROGRESS + claimed.claims[0].prediction_id

    async def lapsed() -> bool:
        return await queue.exists(key) == 0

    await wait_until(lapsed)
    assert await finish(queue, claimed) == [True]


async def test_what_is_handed_back_is_claimed_again_without_counting(queue: PredictionQueue) -> None:
    """A drain is not the prediction's fault; a retry that the model asked for counts."""
    submitted = await queue.submit("mock", {"input": "a"})
    assert await finish(queue, await claim(queue), Status.QUEUED, counts=False) == [True]
    assert (await queue.prediction(submitted.prediction_id)).status is Status.QUEUED
    second = await claim(queue)
    assert second.claims[0].attempt == 1
    assert await finish(queue, second, Status.QUEUED, counts=True) == [True]
    assert (await claim(queue)).claims[0].attempt == 2


async def test_a_stock_workers_in_progress_key_is_respected(queue: PredictionQueue) -> None:
    """arq writes ``1`` there; it is not ours to take."""
    submitted = await queue.submit("mock", {"input": "a"})
    await queue.set(keys.ARQ_IN_PROGRESS + submitted.prediction_id, b"1", px=60_000)
    assert (await claim(queue)).claims == []


async def test_the_next_deferred_one_is_told(queue: PredictionQueue) -> None:
    """So that an idle worker wakes for it without polling."""
    await queue.enqueue_job("later", _defer_by=30)
    claimed = await claim(queue)
    assert claimed.claims == []
    assert claimed.next_due_ms is not None
    assert 20_000 < claimed.next_due_ms <= 30_000


async def _claim_when_lapsed(queue: PredictionQueue) -> Claimed:
    async def taken() -> Claimed | None:
        claimed = await claim(queue, "w2")
        return claimed if claimed.claims else None

    claimed = await wait_until(taken)
    assert claimed is not None
    return claimed
