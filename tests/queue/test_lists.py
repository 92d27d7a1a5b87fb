"""Lists of predictions: by status, newest first, page by page."""

import pytest

from tests.queue.conftest import StartWorker
from zypher_jobs.contracts.prediction import Mode, PredictionSummary, Status, SyncOutcome
from zypher_jobs.queue import PredictionQueue


async def all_pages(
    queue: PredictionQueue, status: Status | None = None, *, limit: int
) -> tuple[list[PredictionSummary], int]:
    """Everything that the cursors lead to, and the number of pages."""
    found: list[PredictionSummary] = []
    cursor: str | None = None
    for pages in range(1, 1_000):
        page, cursor = await queue.inspect.list_predictions(status, before=cursor, limit=limit)
        assert len(page) <= limit
        found += page
        if cursor is None:
            return found, pages
    raise AssertionError("the cursors do not come to an end")


async def submit_apart(queue: PredictionQueue, count: int) -> list[str]:
    """So many, no two of which were created in the same millisecond; their ids in order."""
    ids: list[str] = []
    created: set[object] = set()
    while len(ids) < count:
        one = await queue.submit("mock", {"input": str(len(ids))})
        if one.created_at in created:
            await queue.cancel(one.prediction_id)
            continue
        created.add(one.created_at)
        ids.append(one.prediction_id)
    return ids


async def test_the_newest_come_first_in_each_status(queue: PredictionQueue, start_worker: StartWorker) -> None:
    """And a prediction stands in the list of the status it has, and in no other."""
    ids = await submit_apart(queue, 8)
    listed, cursor = await queue.inspect.list_predictions(Status.QUEUED)
    assert ([summary.prediction_id for summary in listed], cursor) == (ids[::-1], None)
    await queue.cancel(ids[3])
    await start_worker()
    failed = await queue.submit("nobody", {})
    for prediction_id in [*ids, failed.prediction_id]:
        await queue.wait_for(prediction_id, 10)
    succeeded, _ = await queue.inspect.list_predictions(Status.SUCCEEDED)
    assert [summary.prediction_id for summary in succeeded] == [i for i in ids[::-1] if i != ids[3]]
    assert {summary.status for summary in succeeded} == {Status.SUCCEEDED}
    assert ids[3] in {s.prediction_id for s in (await queue.inspect.list_predictions(Status.CANCELED))[0]}
    assert [s.prediction_id for s in (await queue.inspect.list_predictions(Status.FAILED))[0]] == [failed.prediction_id]
    for status in (Status.QUEUED, Status.RUNNING, Status.EXPIRED):
        assert await queue.inspect.list_predictions(status) == ([], None)
    everything, _ = await queue.inspect.list_predictions(limit=200)
    created = [summary.created_at for summary in everything]
    assert created == sorted(created, reverse=True)
    assert {*ids, failed.prediction_id} <= {summary.prediction_id for summary in everything}


@pytest.mark.parametrize("limit", [1, 7, 100])
@pytest.mark.parametrize("status", [Status.QUEUED, None])
async def test_the_pages_hold_everything_once_when_hundreds_share_a_millisecond(
    queue: PredictionQueue, status: Status | None, limit: int
) -> None:
    """A bulk submit creates five hundred at the same instant."""
    submitted = await queue.submit_many("mock", [{"input": "a"}] * (60 if limit == 1 else 700))
    instants = {prediction.created_at for prediction in submitted}
    assert len(instants) < len(submitted) / 10, "they do not share their instants"
    found, pages = await all_pages(queue, status, limit=limit)
    assert len({summary.prediction_id for summary in found}) == len(found), "one stands on two pages"
    missing = {p.prediction_id for p in submitted} - {summary.prediction_id for summary in found}
    assert len(missing) == 0, f"{len(missing)} of {len(submitted)} are on no page"
    assert pages <= len(submitted) // limit + 1
    assert [summary.created_at for summary in found] == sorted((s.created_at for s in found), reverse=True)


async def test_the_pages_of_all_statuses_hold_synchronous_ones_of_the_same_millisecond(
    queue: PredictionQueue,
) -> None:
    """Three hundred of one instant that is older than all others."""
    newer = await queue.submit_many("mock", [{"input": "a"}] * 50)
    outcomes = [
        SyncOutcome(
            prediction_id=f"sync-{number}",
            model="mock",
            status=Status.SUCCEEDED,
            input={},
            created_at_ms=1_700_000_000_000,
            started_at_ms=1_700_000_000_000,
            run_ms=1,
            worker="api",
        )
        for number in range(300)
    ]
    await queue.record_sync(outcomes)
    found, _ = await all_pages(queue, limit=40)
    assert [summary.mode for summary in found] == [Mode.ASYNC] * 50 + [Mode.SYNC] * 300
    expected = {p.prediction_id for p in newer} | {outcome.prediction_id for outcome in outcomes}
    assert {summary.prediction_id for summary in found} == expected


async def test_what_comes_meanwhile_shifts_no_page(queue: PredictionQueue) -> None:
    """A cursor is a place among predictions, not a number of them: what was there at the first page is seen once."""
    ids = await submit_apart(queue, 30)
    first, cursor = await queue.inspect.list_predictions(Status.QUEUED, limit=10)
    assert cursor is not None
    await queue.submit_many("mock", [{"input": "later"}] * 30)
    second, cursor = await queue.inspect.list_predictions(Status.QUEUED, before=cursor, limit=10)
    assert cursor is not None
    third, _ = await queue.inspect.list_predictions(Status.QUEUED, before=cursor, limit=10)
    assert [summary.prediction_id for summary in first + second + third] == ids[::-1]


@pytest.mark.parametrize("cursor", ["", "x", "nobody-1", "-"])
async def test_a_cursor_that_is_none_is_refused(queue: PredictionQueue, cursor: str) -> None:
    """Rather than read as the beginning."""
    with pytest.raises(ValueError, match=r"cursor|invalid literal"):
        await queue.inspect.list_predictions(before=cursor)
