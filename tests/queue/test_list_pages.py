"""The lists of predictions, page by page."""

from collections.abc import Mapping

import pytest

from tests.queue.steps import claim, finish, submit
from zypher_jobs.contracts.prediction import Mode, Status, SyncOutcome
from zypher_jobs.queue import PredictionQueue, keys
from zypher_jobs.queue.connection import RedisClient

NOW_MS = 1_790_000_000_000


async def pages(queue: PredictionQueue, status: Status | None = None, *, limit: int) -> list[list[str]]:
    """The ids of every page, from the newest on."""
    found: list[list[str]] = []
    cursor: str | None = None
    while True:
        page, cursor = await queue.inspect.list_predictions(status, before=cursor, limit=limit)
        found.append([prediction.prediction_id for prediction in page])
        if cursor is None:
            return found


async def everything(queue: PredictionQueue, status: Status | None = None, *, limit: int) -> list[str]:
    """The ids of all pages."""
    return [prediction_id for page in await pages(queue, status, limit=limit) for prediction_id in page]


async def put(queue: PredictionQueue, created: Mapping[str, int], status: Status = Status.QUEUED) -> None:
    """Records in one status's list, with the times that the test chooses."""
    redis: RedisClient = queue
    async with redis.pipeline(transaction=False) as pipe:
        for prediction_id, at_ms in created.items():
            fields = {"status": status, "model": "mock", "mode": Mode.ASYNC, "created_at_ms": at_ms}
            pipe.hset(keys.record(prediction_id), mapping=fields)
            pipe.zadd(keys.listed(status), {prediction_id: at_ms})
        await pipe.execute()


def newest_first(created: Mapping[str, int]) -> list[str]:
    """The order of a list: by time, then by id."""
    return sorted(created, key=lambda prediction_id: (created[prediction_id], prediction_id), reverse=True)


async def test_a_bulk_submit_is_read_page_by_page(queue: PredictionQueue) -> None:
    """Hundreds share a millisecond: each is shown once, ten pages of fifty, and the last says that it is."""
    submitted = await queue.submit_many("mock", [{"input": str(number)} for number in range(500)])
    assert len({prediction.created_at for prediction in submitted}) < 50
    read = await pages(queue, limit=50)
    assert [len(page) for page in read] == [50] * 10
    created = {p.prediction_id: int(p.created_at.timestamp() * 1000) for p in submitted}
    assert [prediction_id for page in read for prediction_id in page] == newest_first(created)


@pytest.mark.parametrize("limit", [1, 7, 50, 999, 1000])
async def test_pages_of_any_length_hold_the_same(queue: PredictionQueue, limit: int) -> None:
    """Some before, hundreds in, and some after one millisecond."""
    created = {f"id-{number:03}": NOW_MS + min(max(number, 100), 300) // 100 for number in range(400)}
    await put(queue, created)
    assert await everything(queue, Status.QUEUED, limit=limit) == newest_first(created)


async def test_the_lists_of_all_statuses_are_one(queue: PredictionQueue) -> None:
    """Each has hundreds of the same millisecond; the cursor stands in one of them only."""
    created = {f"{number * 7919 % 1000:03}-{number}": NOW_MS + number // 300 for number in range(600)}
    for turn, status in enumerate(Status):
        await put(queue, dict(list(created.items())[turn :: len(Status)]), status)
    outcomes = [
        SyncOutcome(
            prediction_id=f"sync-{number}",
            model="mock",
            status=Status.SUCCEEDED,
            input=number,
            output=number,
            created_at_ms=NOW_MS + number % 2,
            started_at_ms=NOW_MS,
            run_ms=1,
            worker="api",
        )
        for number in range(100)
    ]
    await queue.record_sync(outcomes)
    created |= {outcome.prediction_id: outcome.created_at_ms for outcome in outcomes}
    assert await everything(queue, limit=50) == newest_first(created)


async def test_ids_are_ordered_by_their_bytes(queue: PredictionQueue) -> None:
    """As Redis orders them, whatever the server's locale: a prefix before what it begins, capitals before small."""
    created: dict[str, int] = dict.fromkeys(
        ("a", "aa", "a-", "A", "B", "b", "_", "0", "10", "2", "~", "a.b", "a_b", "Ab"), NOW_MS
    )
    await put(queue, created)
    assert await everything(queue, limit=1) == newest_first(created)


async def test_expired_records_do_not_end_the_pages(queue: PredictionQueue) -> None:
    """A page of them is short or empty, and the cursor goes on to those that follow."""
    created = dict.fromkeys((f"id-{number:03}" for number in range(200)), NOW_MS)
    await put(queue, created)
    gone = newest_first(created)[20:130]
    await queue.delete(*(keys.record(prediction_id) for prediction_id in gone))
    read = await pages(queue, limit=50)
    assert [len(page) for page in read] == [20, 0, 20, 50]
    assert [prediction_id for page in read for prediction_id in page] == [
        prediction_id for prediction_id in newest_first(created) if prediction_id not in gone
    ]


async def test_a_cursor_holds_while_predictions_move_and_come(queue: PredictionQueue) -> None:
    """The one it names may have gone to another list, or away; what is new stands before it."""
    for name in "abcdef":
        await submit(queue, name)
    before = await everything(queue, limit=10)
    page, cursor = await queue.inspect.list_predictions(limit=2)
    assert [prediction.prediction_id for prediction in page] == before[:2]
    assert cursor == f"{int(page[1].created_at.timestamp() * 1000)}-{before[1]}"
    await finish(queue, await claim(queue, room=4))
    await submit(queue, "g")
    page, cursor = await queue.inspect.list_predictions(before=cursor, limit=2)
    assert [prediction.prediction_id for prediction in page] == before[2:4]
    for status in Status:
        await queue.zrem(keys.listed(status), before[3])
    page, cursor = await queue.inspect.list_predictions(before=cursor, limit=2)
    assert ([prediction.prediction_id for prediction in page], cursor) == (before[4:], None)


async def test_no_page_reads_the_whole_list(queue: PredictionQueue) -> None:
    """Of 20,000 in one millisecond a page in the middle takes a few dozen commands."""
    ids = [f"{number:05}" for number in range(20_000)]
    redis: RedisClient = queue
    await redis.zadd(keys.listed(Status.QUEUED), dict.fromkeys(ids, NOW_MS))
    await redis.config_resetstat()
    _, cursor = await queue.inspect.list_predictions(Status.QUEUED, before=f"{NOW_MS}-10000", limit=50)
    assert cursor == f"{NOW_MS}-09950"
    commands = await redis.info("commandstats")
    assert commands["cmdstat_zrevrange"]["calls"] <= 16
    assert set(commands) & {"cmdstat_zrange", "cmdstat_zrevrangebyscore", "cmdstat_zscan"} == set()


async def test_a_cursor_that_is_none_is_refused(queue: PredictionQueue) -> None:
    """It begins with a time."""
    for cursor in ("", "x", "x-1", "-5"):
        with pytest.raises(ValueError, match="invalid literal"):
            await queue.inspect.list_predictions(before=cursor)
