"""What running predictions say, in Redis: whole, in order, by attempt, and never more than its bounds."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any, ClassVar

import msgspec
import pytest

from tests.queue import steps
from tests.queue.conftest import StartWorker
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.models import Model, ModelRegistry, context
from zypher_jobs.models.notes import UNTAKEN_BYTES
from zypher_jobs.models.retries import RetryPolicy
from zypher_jobs.queue import PredictionQueue, keys
from zypher_jobs.queue.connection import RedisClient
from zypher_jobs.queue.stories import Entry, Said, Seen, Stories
from zypher_jobs.queue.wire import Wire


class Length(msgspec.Struct, frozen=True):
    """How much to say."""

    pieces: int
    chars: int = 1


class Counts(Model[Length, str]):
    """Says so many pieces of so many characters."""

    def predict(self, input: Length) -> Iterator[str]:
        """Numbered, so that the order shows."""
        for number in range(input.pieces):
            yield f"{number} ".ljust(input.chars)


class Gossips(Model[Length, int]):
    """Says much that is no output."""

    def predict(self, input: Length) -> int:
        """At once."""
        for number in range(input.pieces):
            context.progress(number / input.pieces, f"step {number}")
            context.log(f"line {number}")
        return input.pieces


class SecondTime(Model[Length, str]):
    """Fails in the middle of its first attempt."""

    retries = RetryPolicy(backoff_s=0.01)
    tried: ClassVar[set[str]] = set()

    def predict(self, input: Length) -> Iterator[str]:
        """Says its attempt."""
        context.progress(0.5, f"attempt {context.attempt}")
        yield f"{context.attempt}"
        if context.attempt == 1:
            raise ConnectionError("once")


@pytest.fixture
async def registry(registry: ModelRegistry) -> ModelRegistry:
    """With models that say something."""
    for model in (Counts, Gossips, SecondTime):
        registry.add(model)
    await registry.load_all()
    return registry


@pytest.fixture
async def stories(queue: PredictionQueue) -> AsyncIterator[Stories]:
    """As a worker has them."""
    wire = Wire(queue.connection_pool)
    yield Stories(wire)
    await wire.aclose()


async def story(queue: PredictionQueue, prediction_id: str) -> tuple[list[Entry], Seen]:
    """All of it."""
    watch = queue.watch_prediction(prediction_id, wake=lambda: None)
    entries: list[Entry] = []
    try:
        while True:
            seen = await watch.read()
            entries += seen.entries
            if not seen.has_more:
                return entries, seen
    finally:
        watch.close()


def data(entries: list[Entry], kind: str = "output") -> list[Any]:
    """What was said, of one kind."""
    return [msgspec.json.decode(entry.data) for entry in entries if entry.kind == kind]


async def test_who_sees_the_end_sees_all_that_was_said_before(
    queue: PredictionQueue, start_worker: StartWorker
) -> None:
    """However short the prediction and whatever else ends: the story is written before the end."""
    await start_worker()
    submitted = [await queue.submit("counts", Length(number % 7)) for number in range(60)]

    async def check(prediction_id: str, pieces: int) -> None:
        ended = await queue.wait_for(prediction_id, 10)
        entries, seen = await story(queue, prediction_id)
        assert seen.has_ended
        assert data(entries) == [f"{number} " for number in range(pieces)]
        assert "".join(data(entries)) == ended.output

    await asyncio.gather(*(check(each.prediction_id, number % 7) for number, each in enumerate(submitted)))


async def test_what_is_said_at_once_is_written_at_once(queue: PredictionQueue, start_worker: StartWorker) -> None:
    """A thousand words cost a few round trips, and of progress only the newest of each stays."""
    await start_worker()
    redis: RedisClient = queue
    await redis.config_resetstat()
    submitted = await queue.submit("gossips", Length(1000))
    ended = await queue.wait_for(submitted.prediction_id, 10)
    calls = (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"]
    entries, _ = await story(queue, submitted.prediction_id)
    assert [line["line"] for line in data(entries, "log")] == [f"line {number}" for number in range(1000)]
    last = data(entries, "progress")[-1]
    assert (last["progress"], last["message"]) == (0.999, "step 999")
    times = [each["at"] for each in data(entries, "progress")]
    assert times == sorted(times)
    assert len(data(entries, "progress")) <= calls < 50
    assert ended.log == [f"line {number}" for number in range(990, 1000)]


async def test_who_says_nothing_leaves_nothing(queue: PredictionQueue, start_worker: StartWorker) -> None:
    """No story, and no field in the record."""
    await start_worker()
    submitted = await queue.submit("mock", {"input": "quiet"})
    await queue.wait_for(submitted.prediction_id, 10)
    assert not await queue.exists(keys.story(submitted.prediction_id))
    assert not await queue.hexists(keys.record(submitted.prediction_id), "story")  # pyright: ignore[reportGeneralTypeIssues]


async def test_a_retried_attempt_starts_anew(queue: PredictionQueue, start_worker: StartWorker) -> None:
    """Readers see both, each with its number; the record says what the present one does."""
    await start_worker()
    submitted = await queue.submit("second-time", Length(1))
    ended = await queue.wait_for(submitted.prediction_id, 10)
    entries, seen = await story(queue, submitted.prediction_id)
    assert [(each.attempt, each.number, each.kind) for each in entries] == [
        (1, 1, "progress"),
        (1, 2, "output"),
        (2, 1, "progress"),
        (2, 2, "output"),
    ]
    assert (ended.output, seen.attempt) == ("2", 2)


async def test_a_story_never_takes_more_than_its_bound(queue: PredictionQueue, start_worker: StartWorker) -> None:
    """Of 8 MB the newest are kept, with their numbers; the output is whole, and it has a lifetime."""
    await start_worker()
    submitted = await queue.submit("counts", Length(2000, chars=4096))
    ended = await queue.wait_for(submitted.prediction_id, 20)
    assert ended.status is Status.SUCCEEDED
    assert len((await queue.prediction(submitted.prediction_id)).output) == 2000 * 4096
    name = keys.story(submitted.prediction_id)
    redis: RedisClient = queue
    assert await redis.memory_usage(name, samples=0) < 1.5 * keys.STORY_BYTES
    assert 0 < await redis.pttl(name) <= keys.STORY_ENDED_TTL_MS < queue.retention_ms
    entries, _ = await story(queue, submitted.prediction_id)
    assert 0 < sum(len(entry.data) for entry in entries) <= keys.STORY_BYTES
    # whatever was dropped before it could be written has a number too
    assert [entry.number for entry in entries] == [int(text) + 1 for text in data(entries)]
    assert entries[-1].number == 2000


async def test_many_small_entries_count_too(queue: PredictionQueue, stories: Stories) -> None:
    """Empty ones have a size of their own: their number is bounded."""
    await steps.submit(queue, "a")
    claimed = await steps.claim(queue)
    most = keys.STORY_BYTES // keys.ENTRY_BYTES
    for first in range(1, 3 * most, 4000):
        said = Said("a", 1, claimed.now_ms, first, [("output", "")] * 4000)
        assert await stories.tell([said], lifetime_ms=60_000) == [True]
    assert 0 < await queue.xlen(keys.story("a")) <= most


async def test_what_is_sent_again_is_written_once(queue: PredictionQueue, stories: Stories) -> None:
    """The reply was lost, and more was said meanwhile."""
    await steps.submit(queue, "a")
    claimed = await steps.claim(queue)
    first = Said("a", 1, claimed.now_ms, 1, [("output", "1"), ("output", "2")])
    for said in (first, first, msgspec.structs.replace(first, entries=[*first.entries, ("output", "3")])):
        assert await stories.tell([said], lifetime_ms=60_000) == [True]
    entries, _ = await story(queue, "a")
    assert data(entries) == [1, 2, 3]


async def test_an_attempt_that_is_over_says_nothing_more(queue: PredictionQueue, stories: Stories) -> None:
    """Lost, handed back or ended: what its thread still says is refused, and the next one's story is its own."""
    await steps.submit(queue, "a")
    first = await steps.claim(queue)
    said = Said("a", 1, first.now_ms, 1, [("output", "1")], progress="0.5", progress_message="first")
    assert await stories.tell([said], lifetime_ms=60_000) == [True]
    assert (await queue.prediction("a")).progress == 0.5
    await asyncio.sleep(0.002)  # the next attempt begins in another millisecond
    await steps.finish(queue, first, Status.QUEUED, counts=False)
    assert await stories.tell([msgspec.structs.replace(said, number=2)], lifetime_ms=60_000) == [False]
    assert (await queue.prediction("a")).progress is None
    second = await steps.claim(queue)
    assert second.claims[0].attempt == 1  # handing back gave the number back
    assert (await queue.prediction("a")).progress is None
    assert await stories.tell([msgspec.structs.replace(said, number=2)], lifetime_ms=60_000) == [False]
    again = msgspec.structs.replace(said, began_at_ms=second.now_ms, entries=[("output", "2")])
    assert await stories.tell([again], lifetime_ms=60_000) == [True]
    await steps.finish(queue, second)
    assert await stories.tell([msgspec.structs.replace(again, number=2)], lifetime_ms=60_000) == [False]
    entries, _ = await story(queue, "a")
    assert data(entries) == [1, 2]


async def test_watchers_are_woken_by_whatever_changes(queue: PredictionQueue, stories: Stories) -> None:
    """Begun, said, handed back, canceled; those of other predictions are not."""
    for prediction_id in ("a", "b"):
        await steps.submit(queue, prediction_id)
    woken: list[str] = []
    happened = asyncio.Event()

    def wake(prediction_id: str) -> None:
        woken.append(prediction_id)
        happened.set()

    watches = [queue.watch_prediction(name, wake=lambda name=name: wake(name)) for name in ("a", "b")]

    async def seen_after(change: Any) -> Seen:
        await change
        await asyncio.wait_for(happened.wait(), 5)
        happened.clear()
        return await watches[0].read()

    assert [(await watch.read()).status for watch in watches] == [Status.QUEUED, Status.QUEUED]
    claiming = asyncio.ensure_future(steps.claim(queue, room=1))
    assert (await seen_after(claiming)).status is Status.RUNNING
    claimed = claiming.result()
    said = Said("a", 1, claimed.now_ms, 1, [("log", "1")])
    assert len((await seen_after(stories.tell([said], lifetime_ms=60_000))).entries) == 1
    assert (await seen_after(steps.finish(queue, claimed, Status.QUEUED))).status is Status.QUEUED
    assert (await seen_after(queue.cancel("a"))).has_ended
    assert set(woken) == {"a"}
    for watch in watches:
        watch.close()


async def test_a_dropped_dead_letter_takes_its_story_along(queue: PredictionQueue, stories: Stories) -> None:
    """With its record and its result."""
    await steps.submit(queue, "a")
    claimed = await steps.claim(queue)
    await stories.tell([Said("a", 1, claimed.now_ms, 1, [("log", "1")])], lifetime_ms=2 * keys.STORY_ENDED_TTL_MS)
    await steps.finish(queue, claimed, Status.FAILED, is_dead=True)
    assert 0 < await queue.pttl(keys.story("a")) <= keys.STORY_ENDED_TTL_MS
    await queue.drop(["a"])
    assert not await queue.exists(keys.story("a"))


def test_the_bound_of_what_waits_is_that_of_a_story() -> None:
    """An outage loses no more than Redis would."""
    assert UNTAKEN_BYTES == keys.STORY_BYTES
