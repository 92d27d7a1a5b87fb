"""Retry now: what waits for a later time is due at once, and nothing else about it changes."""

import asyncio
from typing import Any

import msgspec
from arq.worker import Retry, func

from tests.queue.begins import Begins
from tests.queue.conftest import StartWorker
from tests.queue.steps import claim, finish, ids, lapse, submit
from zypher_jobs.contracts.prediction import Priority, Status
from zypher_jobs.errors import Conflict, UnknownPrediction
from zypher_jobs.queue import PredictionQueue, keys
from zypher_jobs.queue.connection import RedisClient
from zypher_jobs.testing import wait_until

HOUR_MS = 3_600_000


async def paused(queue: PredictionQueue, *prediction_ids: str, defer_ms: int = HOUR_MS, **options: Any) -> None:
    """Each has failed an attempt and waits; the first one the longest."""
    for at, prediction_id in enumerate(prediction_ids):
        await submit(queue, prediction_id, **options)
        claimed = await claim(queue)
        assert ids(claimed) == [prediction_id]
        await finish(queue, claimed, Status.QUEUED, defer_ms=defer_ms - at * 1000)


async def test_a_retry_that_waits_for_its_time_is_due_at_once(queue: PredictionQueue) -> None:
    """Its record says no more that it waits; the attempt counts on."""
    await paused(queue, "a")
    before = await queue.prediction("a")
    (listed,), _ = await queue.inspect.list_predictions()
    assert before.due_at is not None
    assert listed.due_at == before.due_at
    assert before.due_at > before.created_at
    assert ids(await claim(queue)) == []
    retried = await queue.retry("a")
    assert (retried.status, retried.attempts, retried.due_at) == (Status.QUEUED, 1, None)
    claimed = await claim(queue)
    assert [(one.prediction_id, one.attempt) for one in claimed.claims] == [("a", 2)]
    assert await finish(queue, claimed) == [True]
    assert [each.number for each in (await queue.prediction("a")).past_attempts] == [1]


async def test_twice_is_as_once(queue: PredictionQueue) -> None:
    """The second call is told that it is due; its place is the one of the first."""
    await paused(queue, "a")
    moved, again = await queue.bulk.retry(["a", "a"])
    assert moved is None
    assert isinstance(again, Conflict)
    first = await queue.zscore(keys.ARQ_QUEUE, "a")
    assert "due already" in (await refusal(queue, "a")).message
    assert await queue.zscore(keys.ARQ_QUEUE, "a") == first
    waited = [attempt for _, status, attempt in await events(queue) if status == "queued"]
    assert waited == [0, 1, 1]  # the submit, the failed attempt, the retry


async def refusal(queue: PredictionQueue, prediction_id: str) -> Any:
    """Why one is left as it is."""
    (why,) = await queue.bulk.retry([prediction_id])
    assert isinstance(why, UnknownPrediction | Conflict)
    return why


async def events(queue: PredictionQueue) -> list[tuple[str, str, int]]:
    """Prediction, status and attempt of each."""
    redis: RedisClient = queue
    entries: list[Any] = await redis.xrange(keys.EVENTS)
    return [(e[0], e[1], e[3]) for _, fields in entries for e in msgspec.msgpack.decode(fields[b"events"])]


async def test_what_does_not_wait_for_a_time_stays_as_it_is(queue: PredictionQueue) -> None:
    """What waits for its turn, runs, has ended, or is unknown: each is told why, and its place is the same."""
    await submit(queue, "ended")
    await finish(queue, await claim(queue))
    await submit(queue, "running")
    await claim(queue)
    await submit(queue, "lapsed")
    await lapse(queue, await claim(queue))
    await submit(queue, "turn")
    redis: RedisClient = queue
    before = await redis.zrange(keys.ARQ_QUEUE, 0, -1, withscores=True)
    whys = dict(
        zip(names := ["ended", "running", "lapsed", "turn", "none"], await queue.bulk.retry(names), strict=True)
    )
    said = {name: why.message for name, why in whys.items() if why is not None}
    assert said == {
        "ended": "Prediction 'ended' has ended; replay it to ask for it again.",
        "running": "Prediction 'running' is running already.",
        "lapsed": "Prediction 'lapsed' is running already.",
        "turn": "Prediction 'turn' is due already; it waits for its turn, not for a time.",
        "none": UnknownPrediction("none").message,
    }
    assert isinstance(whys["none"], UnknownPrediction)
    assert await redis.zrange(keys.ARQ_QUEUE, 0, -1, withscores=True) == before
    assert await queue.exists(keys.record("none")) == 0


async def test_one_that_a_stock_arq_worker_holds_or_ended_is_left_to_it(queue: PredictionQueue) -> None:
    """Its record says ``queued`` still."""
    await paused(queue, "held", "done")
    await queue.set(keys.ARQ_IN_PROGRESS + "held", b"1")
    await queue.set(keys.result("done"), b"something")
    assert "is running" in (await refusal(queue, "held")).message
    assert "has ended" in (await refusal(queue, "done")).message


async def test_a_look_changes_nothing(queue: PredictionQueue) -> None:
    """It tells the same."""
    await paused(queue, "a")
    would, unknown = await queue.bulk.retry(["a", "none"], is_look=True)
    assert would is None
    assert isinstance(unknown, UnknownPrediction)
    assert ids(await claim(queue)) == []
    assert await queue.bulk.retry(["a"]) == [None]


async def test_those_of_a_call_keep_the_order_of_their_times(queue: PredictionQueue) -> None:
    """Of all queues, each within its own: as they would have come."""
    await paused(queue, "b", "c", "a")
    await paused(queue, "z", "y", priority=Priority.LOW)
    assert await queue.bulk.retry(["b", "c", "z", "a", "y"]) == [None] * 5
    normal = await claim(queue, queues=[keys.ARQ_QUEUE])
    assert ids(normal) == ["a", "c", "b"]
    assert ids(await claim(queue, queues=[keys.QUEUES[Priority.LOW]])) == ["y", "z"]


async def test_many_that_are_retried_leave_every_other_place_to_what_waits_for_its_turn(
    queue: PredictionQueue,
) -> None:
    """As what falls due by time does."""
    await paused(queue, *(f"r{number}" for number in range(6)))
    for number in range(3):
        await submit(queue, f"t{number}")
    await queue.bulk.retry([f"r{number}" for number in range(6)])
    claimed = ids(await claim(queue, room=6, queues=[keys.ARQ_QUEUE]))
    assert sorted(each[0] for each in claimed) == ["r", "r", "r", "t", "t", "t"]


async def test_its_deadline_and_its_cancel_hold_on(queue: PredictionQueue) -> None:
    """Neither is forgotten by it."""
    await paused(queue, "late", "canceled", expires_in_s=60)
    await queue.bulk.retry(["late", "canceled"])
    assert await queue.zcard(keys.DEADLINES) == 2
    assert (await queue.cancel("canceled")).status is Status.CANCELED
    assert ids(await claim(queue)) == ["late"]


async def test_in_a_paused_queue_it_is_due_once_that_is_resumed(queue: PredictionQueue) -> None:
    """Nobody takes it before."""
    await paused(queue, "a")
    await queue.pause()
    assert (await queue.retry("a")).due_at is None
    assert ids(await claim(queue)) == []
    await queue.resume()
    assert ids(await claim(queue)) == ["a"]


async def test_who_stands_idle_is_told_to_look(queue: PredictionQueue) -> None:
    """Once; and nobody is for what is due already."""
    await paused(queue, "a")
    redis: Any = queue
    async with redis.pubsub(ignore_subscribe_messages=True) as news:
        await news.subscribe(keys.work("w1"))
        names = tuple(keys.QUEUES.values())
        assert (await queue.scripts.claim(queues=names, worker_id="w1", room=5, lease_ms=5000, idle_places=5)).is_idle
        await queue.bulk.retry(["a"], is_look=True)
        assert await redis.hlen(keys.IDLE) == 1
        await queue.retry("a")
        assert await redis.hlen(keys.IDLE) == 0
        message = await asyncio.wait_for(anext(news.listen()), 20)
        assert (message["channel"], message["data"]) == (keys.work("w1").encode(), b"")


async def test_an_idle_worker_begins_it_at_once(queue: PredictionQueue, start_worker: StartWorker) -> None:
    """It stood idle until the time that was set: it is woken, as by a submit."""
    attempts = list[int]()

    async def retries(ctx: dict[Any, Any], *_: Any) -> str:
        attempts.append(ctx["job_try"])
        if ctx["job_try"] == 1:
            raise Retry(defer=3600)
        return "done"

    await start_worker([func(retries, name="predict")])
    submitted = await queue.submit("mock", "again")
    await wait_until(lambda: is_waiting(queue, submitted.prediction_id))
    assert attempts == [1]
    await queue.retry(submitted.prediction_id)
    ended = await queue.wait_for(submitted.prediction_id, 20)
    assert (ended.status, ended.output, attempts) == (Status.SUCCEEDED, "done", [1, 2])


async def is_waiting(queue: PredictionQueue, prediction_id: str) -> bool:
    """Whether it waits for a time."""
    return (await queue.prediction(prediction_id)).due_at is not None


async def test_a_busy_worker_begins_it_when_a_place_is_free(queue: PredictionQueue, start_worker: StartWorker) -> None:
    """Nobody is idle to be woken: whoever is done next finds it."""
    await paused(queue, "a")
    begins = Begins(held=True)
    await start_worker(begins.functions, max_jobs=1)
    first = await queue.submit("mock", "first")
    await begins.began(first.prediction_id)
    await queue.retry("a")
    began_s = asyncio.get_running_loop().time()
    begins.released.set()
    await queue.wait_for("a", 20)
    assert begins.values == ["first", {"input": "a"}]
    assert await begins.began("a") - began_s < 5


async def test_those_who_watch_it_are_told(queue: PredictionQueue) -> None:
    """That there is something to read."""
    await paused(queue, "a")
    woken = asyncio.Event()
    watch = queue.watch_prediction("a", wake=woken.set)
    await watch.read()
    woken.clear()
    await queue.retry("a")
    await asyncio.wait_for(woken.wait(), 20)
    watch.close()
