"""Callers that wait for a prediction."""

import asyncio

import pytest

from tests.queue.conftest import StartWorker
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.errors import RedisUnavailable, UnknownPrediction
from zypher_jobs.queue import PredictionQueue, keys
from zypher_jobs.queue.connection import RedisClient
from zypher_jobs.queue.embedded import EmbeddedServer
from zypher_jobs.settings import Settings
from zypher_jobs.testing import wait_until


async def test_many_waiters_of_many_predictions_are_all_woken(
    queue: PredictionQueue, start_worker: StartWorker
) -> None:
    """Three callers for each of fifty, over one subscribed connection, long before their time-out."""
    submitted = [await queue.submit("mock", {"input": str(number)}) for number in range(50)]
    waiting = [asyncio.create_task(queue.wait_for(p.prediction_id, 30)) for p in submitted for _ in range(3)]
    await start_worker()
    ended = await asyncio.wait_for(asyncio.gather(*waiting), 10)
    assert {prediction.status for prediction in ended} == {Status.SUCCEEDED}
    await wait_until(lambda: nobody_listens(queue))


async def test_a_wait_ends_at_its_time_out_with_what_is_known(queue: PredictionQueue) -> None:
    """Nobody runs it: still queued."""
    submitted = await queue.submit("mock", {"input": "a"})
    assert (await queue.wait_for(submitted.prediction_id, 0.05)).status is Status.QUEUED


async def test_waiting_for_an_unknown_id_fails_at_once(queue: PredictionQueue) -> None:
    """Rather than at the time-out."""
    with pytest.raises(UnknownPrediction):
        await asyncio.wait_for(queue.wait_for("nobody", 30), 5)


async def test_a_canceled_waiter_leaves_nothing_behind(queue: PredictionQueue) -> None:
    """A caller that goes away frees its channel."""
    submitted = await queue.submit("mock", {"input": "a"})
    waiting = asyncio.create_task(queue.wait_for(submitted.prediction_id, 30))
    await wait_until(lambda: somebody_listens(queue))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await wait_until(lambda: nobody_listens(queue))


async def test_waiters_learn_that_redis_went_away_and_can_wait_again(
    valkey: EmbeddedServer, valkey_settings: Settings
) -> None:
    """Within seconds, not at their time-out; the next wait works once Redis is back."""
    queue = PredictionQueue.from_settings(valkey_settings)
    submitted = await queue.submit("mock", {"input": "a"})
    waiting = asyncio.create_task(queue.wait_for(submitted.prediction_id, 60))
    await wait_until(lambda: somebody_listens(queue))
    valkey.kill()
    with pytest.raises(RedisUnavailable):
        await asyncio.wait_for(waiting, 5)
    valkey.start()
    assert (await queue.wait_for(submitted.prediction_id, 0.2)).status is Status.QUEUED
    await queue.aclose()


async def somebody_listens(queue: PredictionQueue) -> bool:
    """What the server says of the subscriptions."""
    redis: RedisClient = queue
    return bool(await redis.pubsub_channels(f"{keys.DONE}*"))


async def nobody_listens(queue: PredictionQueue) -> bool:
    """No subscription is left."""
    return not await somebody_listens(queue)
