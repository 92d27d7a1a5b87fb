"""Many callers that wait at once: all are told, soon, and cost nothing once they are gone."""

import asyncio
from collections.abc import Iterator

import pytest

from bench.crowd import Crowd
from tests.api.running import RunningApi, running_worker
from zypher_jobs.queue.together import Together
from zypher_jobs.testing import wait_until

ASYNC = {"Async-Mode": "true"}


async def submitted(api: RunningApi, count: int) -> list[str]:
    """The ids of so many predictions."""
    answers = [await api.post("/predict", json={"input": f"n{n}"}, headers=ASYNC) for n in range(count)]
    return [str(answer.json()["prediction_id"]) for answer in answers]


@pytest.fixture
def crowd(api: RunningApi) -> Iterator[Crowd]:
    """Callers on sockets of their own."""
    crowd = Crowd(api.settings.port)
    yield crowd
    crowd.leave()


@pytest.mark.parametrize("predictions", [1, 20])
async def test_all_who_wait_are_told(api: RunningApi, crowd: Crowd, predictions: int) -> None:
    """Long polls and streams, of one prediction and of many."""
    ids = await submitted(api, predictions)
    await crowd.join("poll", ids * (200 // predictions))
    await crowd.join("stream", ids * (40 // predictions))
    queue = api.services.queue
    await wait_until(lambda: (queue.waiting, queue.watching) == (200, 40))
    async with running_worker(api):
        assert await crowd.all_told(20)
    await wait_until(lambda: (queue.waiting, queue.watching) == (0, 0))
    assert {each.prediction_id for each in crowd.told} == set(ids)


async def test_all_who_go_away_free_their_slots(api: RunningApi, crowd: Crowd) -> None:
    """At once; their prediction goes on."""
    ids = await submitted(api, 1)
    await crowd.join("poll", ids * 100)
    await crowd.join("stream", ids * 20)
    queue = api.services.queue
    await wait_until(lambda: (queue.waiting, queue.watching) == (100, 20))
    crowd.leave()
    await wait_until(lambda: (queue.waiting, queue.watching) == (0, 0))
    async with running_worker(api):
        assert (await api.get(f"/predict/{ids[0]}?wait=20")).json()["status"] == "succeeded"


async def test_who_waits_costs_one_task(api: RunningApi, crowd: Crowd) -> None:
    """That of the request; a stream has one more, which hears the caller."""
    ids = await submitted(api, 1)
    before = len(asyncio.all_tasks())
    await crowd.join("poll", ids * 50)
    await wait_until(lambda: api.services.queue.waiting == 50)
    await wait_until(lambda: len(asyncio.all_tasks()) <= before + 50)


async def test_a_read_is_shared_until_it_is_sent() -> None:
    """Who asks in the same turn shares it; who asks later, or is canceled, changes nothing for the others."""
    asked: list[str] = []
    may_answer = asyncio.Event()

    async def ask(what: str) -> int:
        asked.append(what)
        await may_answer.wait()
        return len(asked)

    together = Together(ask)
    first = [asyncio.create_task(together("a")) for _ in range(3)]
    await wait_until(lambda: asked == ["a"])
    first[0].cancel()
    later = asyncio.create_task(together("a"))
    await wait_until(lambda: asked == ["a", "a"])
    may_answer.set()
    assert [await each for each in first[1:]] == [2, 2]
    assert await later == 2
