"""Callers that wait for a prediction."""

import asyncio

import pytest

from tests.queue.conftest import StartWorker
from zypher_jobs.contracts.prediction import Prediction, Status
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


async def test_a_wait_ends_at_its_time_out_with_what_is_known(queue: PredictionQueue) -> None:
    """Nobody runs it: still queued."""
    submitted = await queue.submit("mock", {"input": "a"})
    assert (await queue.wait_for(submitted.prediction_id, 0.05)).status is Status.QUEUED


async def test_waiting_for_an_unknown_id_fails_at_once(queue: PredictionQueue) -> None:
    """Rather than at the time-out."""
    with pytest.raises(UnknownPrediction):
        await asyncio.wait_for(queue.wait_for("nobody", 30), 5)


async def test_a_canceled_waiter_leaves_nothing_behind(queue: PredictionQueue) -> None:
    """A caller that goes away is waited for no more, whether its wait was announced or not."""
    submitted = await queue.submit("mock", {"input": "a"})
    announced = await queue.submit("mock", {"input": "b"}, will_wait=True)
    for what in (submitted.prediction_id, announced):
        waiting = asyncio.create_task(queue.wait_for(what, 30))
        await wait_until(lambda: is_waited_for(queue, submitted))
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    waiters = queue._waiters  # pyright: ignore[reportPrivateUsage]
    assert not waiters._waiting  # pyright: ignore[reportPrivateUsage]
    assert not waiters._expected  # pyright: ignore[reportPrivateUsage]


async def test_a_neighbor_that_goes_away_takes_nobodys_wait_along(
    queue: PredictionQueue, start_worker: StartWorker
) -> None:
    """Both wait for the same prediction; one is canceled at once."""
    submitted = await queue.submit("mock", {"input": "a"})
    waiting = [asyncio.create_task(queue.wait_for(submitted.prediction_id, 30)) for _ in range(2)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await start_worker()
    assert (await asyncio.wait_for(waiting[1], 10)).status is Status.SUCCEEDED


@pytest.mark.parametrize("size", [10, 9_000])
async def test_an_announced_wait_says_all_that_a_read_says(
    queue: PredictionQueue, start_worker: StartWorker, size: int
) -> None:
    """Out of the message, or read because it is too large for one."""
    await start_worker()
    submitted = await queue.submit("mock", {"input": "x" * size}, input_bytes=size, will_wait=True, version="1")
    ended = await queue.wait_for(submitted, 10)
    assert ended.status is Status.SUCCEEDED
    assert ended == await queue.prediction(submitted.prediction_id)


async def test_an_announced_wait_tells_a_failure(queue: PredictionQueue, start_worker: StartWorker) -> None:
    """With its code and message."""
    await start_worker()
    submitted = await queue.submit("mock", {"inptu": "x"}, will_wait=True)
    ended = await queue.wait_for(submitted, 10)
    assert ended.error is not None
    assert (ended.status, ended.error.code) == (Status.FAILED, "invalid_input")
    assert ended == await queue.prediction(submitted.prediction_id)


async def test_clients_of_two_processes_wait_for_one_prediction(
    queue: PredictionQueue, settings: Settings, start_worker: StartWorker
) -> None:
    """Each is told on its own channel."""
    other = PredictionQueue.from_settings(settings)
    submitted = await queue.submit("mock", {"input": "a"}, will_wait=True)
    waiting = [asyncio.create_task(client.wait_for(submitted.prediction_id, 30)) for client in (queue, other, other)]
    await wait_until(lambda: is_waited_for(queue, submitted))
    await start_worker()
    assert {p.status for p in await asyncio.wait_for(asyncio.gather(*waiting), 10)} == {Status.SUCCEEDED}
    await other.aclose()


async def test_waiters_learn_that_redis_went_away_and_can_wait_again(
    valkey: EmbeddedServer, valkey_settings: Settings
) -> None:
    """Within seconds, not at their time-out; the next wait works once Redis is back."""
    queue = PredictionQueue.from_settings(valkey_settings)
    submitted = await queue.submit("mock", {"input": "a"})
    waiting = asyncio.create_task(queue.wait_for(submitted.prediction_id, 60))
    await wait_until(lambda: is_waited_for(queue, submitted))
    valkey.kill()
    with pytest.raises(RedisUnavailable):
        await asyncio.wait_for(waiting, 5)
    valkey.start()
    assert (await queue.wait_for(submitted.prediction_id, 0.2)).status is Status.QUEUED
    await queue.aclose()


async def is_waited_for(queue: PredictionQueue, submitted: Prediction) -> bool:
    """Whether its record names somebody to be told."""
    redis: RedisClient = queue
    return bool(await redis.hget(keys.record(submitted.prediction_id), "reply_to"))
