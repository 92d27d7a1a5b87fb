"""The event stream, as those who follow it read it."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from tests.queue.conftest import StartWorker
from tests.queue.steps import claim, finish
from zypher_jobs.contracts.event import Event
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.queue import PredictionQueue, keys
from zypher_jobs.queue.connection import RedisClient
from zypher_jobs.queue.embedded import EmbeddedServer
from zypher_jobs.queue.events import follow
from zypher_jobs.settings import Settings
from zypher_jobs.testing import wait_until


async def take(events: AsyncGenerator[Event], count: int) -> list[Event]:
    """The next few."""
    return [await asyncio.wait_for(anext(events), 10) for _ in range(count)]


async def somebody_blocks(queue: PredictionQueue) -> bool:
    """A reader waits on the server."""
    redis: RedisClient = queue
    return bool((await redis.info("clients"))["blocked_clients"])


async def test_a_prediction_is_followed_from_its_submit_to_its_end(
    queue: PredictionQueue, start_worker: StartWorker
) -> None:
    """One event for each status, in order, with the attempt and its worker."""
    worker = await start_worker()
    submitted = await queue.submit("mock", {"input": "a"})
    events = follow(queue, "0")
    queued, running, succeeded = await take(events, 3)
    await events.aclose()
    assert [e.status for e in (queued, running, succeeded)] == ["queued", "running", "succeeded"]
    assert {e.prediction_id for e in (queued, running, succeeded)} == {submitted.prediction_id}
    assert (queued.model, queued.attempt, queued.worker) == ("mock", 0, "")
    assert (running.attempt, running.worker) == (1, worker.worker_id)
    assert (succeeded.model, succeeded.attempt, succeeded.worker) == ("mock", 1, worker.worker_id)
    assert queued.at == submitted.created_at <= running.at <= succeeded.at


async def test_a_reader_resumes_behind_any_event_it_has_seen(queue: PredictionQueue) -> None:
    """In the middle of what one script wrote, too: nothing twice, nothing left out."""
    await queue.submit_many("mock", [{"input": str(n)} for n in range(20)])
    claimed = await claim(queue, room=20)
    await finish(queue, claimed)
    everything = await take(follow(queue, "0"), 60)
    assert len({e.event_id for e in everything}) == 60
    for at in (0, 7, 19, 20, 33, 58):
        assert await take(follow(queue, everything[at].event_id), 59 - at) == everything[at + 1 :]
    entry_id = everything[19].event_id.partition(".")[0]
    assert await take(follow(queue, entry_id), 40) == everything[20:]


async def test_a_new_reader_sees_only_what_happens_from_now_on(queue: PredictionQueue) -> None:
    """And what is handed back, lost or canceled is told as well."""
    await queue.submit("mock", {"input": "before"})
    (before,) = (await claim(queue)).claims
    events = follow(queue)
    reading = asyncio.create_task(take(events, 6))
    await wait_until(lambda: somebody_blocks(queue))
    after = await queue.submit("mock", {"input": "after"})
    await finish(queue, await claim(queue), Status.QUEUED)
    await queue.cancel(after.prediction_id)
    await queue.delete(keys.ARQ_IN_PROGRESS + before.prediction_id)
    await queue.zadd(before.queue, {before.prediction_id: 1})
    await claim(queue, "w2")
    told = [(e.prediction_id, e.status) for e in await reading]
    assert told[:4] == [(after.prediction_id, status) for status in ("queued", "running", "queued", "canceled")]
    assert told[4:] == [(before.prediction_id, "lost"), (before.prediction_id, "running")]
    await events.aclose()


async def test_a_reader_lives_through_an_outage(valkey: EmbeddedServer, valkey_settings: Settings) -> None:
    """Redis is killed and started again: the reader goes on where it was."""
    queue = PredictionQueue.from_settings(valkey_settings)
    first = await queue.submit("mock", {"input": "a"})
    redis: RedisClient = queue
    await redis.config_set("appendfsync", "always")
    events = follow(queue, "0")
    assert [e.prediction_id for e in await take(events, 1)] == [first.prediction_id]
    reading = asyncio.create_task(take(events, 2))
    await wait_until(lambda: somebody_blocks(queue))
    valkey.kill()
    valkey.start()
    second = await queue.submit("mock", {"input": "b"})
    third = await queue.submit("mock", {"input": "c"})
    assert [e.prediction_id for e in await reading] == [second.prediction_id, third.prediction_id]
    await events.aclose()
    await queue.aclose()


@pytest.mark.parametrize("after_id", ["", "x", "1-", "1-2-3", "1-2.x", "-1-1", "9" * 30 + "-1"])
async def test_an_id_that_is_none_is_refused(queue: PredictionQueue, after_id: str) -> None:
    """Rather than read as the beginning."""
    with pytest.raises(ValueError, match="is no event's id"):
        await anext(follow(queue, after_id))


async def test_the_stream_is_bounded(queue: PredictionQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader from before its oldest entry goes on with that."""
    for n in range(300):
        await queue.submit("mock", {"input": str(n)})
    first = (await take(follow(queue, "0"), 1))[0]
    await queue.xtrim(keys.EVENTS, 100, approximate=False)
    later = await take(follow(queue, first.event_id), 100)
    assert len({e.prediction_id for e in later}) == 100
    assert first.event_id not in {e.event_id for e in later}
