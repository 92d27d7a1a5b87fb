"""Cancel: of what waits, of what runs, of what was left behind; by us and by arq's ``Job.abort``."""

import asyncio
from typing import Any

from arq.connections import RedisSettings, create_pool
from arq.jobs import Job
from arq.worker import func

from tests.queue.conftest import StartWorker
from tests.queue.steps import claim, finish, ids, lapse, renew, statuses, submit
from zypher_jobs.contracts.prediction import Prediction, Status
from zypher_jobs.queue import PredictionQueue, deserialize, keys, serialize
from zypher_jobs.settings import Settings
from zypher_jobs.testing import wait_until


async def hangs(ctx: dict[Any, Any], *_: Any) -> None:
    """Until it is canceled."""
    await asyncio.Event().wait()


async def test_a_waiting_one_is_canceled_at_once(queue: PredictionQueue) -> None:
    """It never runs, its waiter is woken, and it leaves nothing in the queue."""
    await submit(queue, "a", expires_in_s=60)
    waiting = asyncio.create_task(queue.wait_for("a", 30))
    canceled = await queue.cancel("a")
    assert canceled.status is Status.CANCELED
    assert canceled.error is not None
    assert canceled.error.code == "canceled"
    assert canceled.finished_at is not None
    assert (await asyncio.wait_for(waiting, 5)).status is Status.CANCELED
    assert (await claim(queue)).claims == []
    assert await statuses(queue, "a") == {Status.CANCELED}
    assert await queue.exists(keys.DEADLINES, keys.job("a"), keys.ARQ_RETRY + "a", keys.ARQ_ABORT) == 0
    assert (await queue.inspect.overview()).counts[0].count == 1


async def test_a_running_one_is_canceled_by_its_worker(queue: PredictionQueue, start_worker: StartWorker) -> None:
    """Which learns of it with its next renewal: within a second."""
    worker = await start_worker([func(hangs, name="predict")])
    await submit(queue, "a")
    await wait_until(lambda: "a" in worker.tasks)
    assert (await queue.cancel("a")).status is Status.RUNNING
    ended = await queue.wait_for("a", 5)
    assert (ended.status, ended.attempts) == (Status.CANCELED, 1)
    assert ended.error is not None
    assert ended.error.code == "canceled"
    assert await statuses(queue, "a") == {Status.CANCELED}
    assert await queue.zcard(keys.DEAD) == 0
    assert await queue.exists(keys.ARQ_ABORT) == 0


async def test_one_that_a_dead_worker_left_behind_is_canceled_at_once(queue: PredictionQueue) -> None:
    """Nobody holds it, so nobody else would end it: its queue may be paused. A late finish changes nothing."""
    await submit(queue, "a")
    claimed = await claim(queue)
    await lapse(queue, claimed)
    assert (await queue.cancel("a")).status is Status.CANCELED
    assert await finish(queue, claimed) == [False]
    assert await renew(queue, claimed) == ({"a"}, set())
    assert await statuses(queue, "a") == {Status.CANCELED}
    assert (await claim(queue)).claims == []


async def test_a_retry_that_waits_for_its_time_is_canceled(queue: PredictionQueue) -> None:
    """As one that waits for its turn."""
    await submit(queue, "a")
    await finish(queue, await claim(queue), Status.QUEUED, defer_ms=60_000)
    assert (await queue.cancel("a")).status is Status.CANCELED
    assert await queue.zcard(keys.ARQ_QUEUE) == 0


async def test_a_terminal_one_stays_as_it_is(queue: PredictionQueue) -> None:
    """Nothing follows a terminal status."""
    await submit(queue, "a")
    await finish(queue, await claim(queue))
    assert (await queue.cancel("a")).status is Status.SUCCEEDED
    assert await queue.exists(keys.ARQ_ABORT) == 0


async def test_a_canceled_one_is_canceled_once(queue: PredictionQueue) -> None:
    """Two callers at once: one terminal write, counted once."""
    await submit(queue, "a")
    canceled = await asyncio.gather(*(queue.cancel("a") for _ in range(10)))
    assert {prediction.status for prediction in canceled} == {Status.CANCELED}
    assert [c.count for c in (await queue.inspect.overview()).counts] == [1]


async def test_a_cancel_and_a_finish_at_once_make_one_end(queue: PredictionQueue) -> None:
    """Whichever comes first stands."""
    await submit(queue, "a")
    claimed = await claim(queue)
    await queue.cancel("a")
    assert await finish(queue, claimed) == [True]
    assert await statuses(queue, "a") == {Status.SUCCEEDED}
    assert await queue.exists(keys.ARQ_ABORT) == 0


async def test_arqs_abort_ends_what_runs(queue: PredictionQueue, start_worker: StartWorker, settings: Settings) -> None:
    """From a client of arq's own."""
    worker = await start_worker([func(hangs, name="predict")])
    await submit(queue, "a")
    await wait_until(lambda: "a" in worker.tasks)
    assert await aborted(settings, "a")
    assert (await queue.prediction("a")).status is Status.CANCELED


async def test_arqs_abort_ends_what_waits_without_running_it(
    queue: PredictionQueue, start_worker: StartWorker, settings: Settings
) -> None:
    """It is asked for before a worker is there: the first to claim it ends it."""
    ran: list[str] = []

    async def runs(ctx: dict[Any, Any], *_: Any) -> None:
        ran.append(ctx["job_id"])

    await submit(queue, "a")
    job = await queue.enqueue_job("predict", _job_id="arqs")
    assert job is not None
    aborting = [asyncio.create_task(aborted(settings, i)) for i in ("a", "arqs")]
    await wait_until(lambda: both_asked(queue))
    await start_worker([func(runs, name="predict")])
    assert await asyncio.gather(*aborting) == [True, True]
    assert ran == []
    assert (await queue.prediction("a")).status is Status.CANCELED
    assert await queue.exists(keys.ARQ_ABORT) == 0


async def test_an_abort_before_its_prediction_does_not_poison_the_id(
    queue: PredictionQueue, start_worker: StartWorker, settings: Settings
) -> None:
    """Stock arq cancels the next job of that id, an hour later still."""

    async def works(ctx: dict[Any, Any], *_: Any) -> str:
        return "ran"

    for prediction_id in ("ours", "arqs"):
        assert not await aborted(settings, prediction_id)
    assert await queue.zcard(keys.ARQ_ABORT) == 2
    await asyncio.sleep(0.002)  # arq's times are whole milliseconds
    await submit(queue, "ours")
    job = await queue.enqueue_job("predict", _job_id="arqs")
    assert job is not None
    await start_worker([func(works, name="predict")])
    assert await job.result(timeout=10, poll_delay=0.01) == "ran"
    assert (await queue.wait_for("ours", 10)).status is Status.SUCCEEDED


async def test_a_cancel_that_its_worker_did_not_live_to_see_is_not_forgotten(queue: PredictionQueue) -> None:
    """The next claim brings it along, whatever the clocks of callers say."""
    await submit(queue, "a")
    claimed = await claim(queue)
    await queue.cancel("a")
    await lapse(queue, claimed)
    again = await claim(queue, "w2")
    assert ids(again) == ["a"]
    assert again.claims[0].aborted_at_ms > 4_000_000_000_000
    assert await queue.exists(keys.ARQ_ABORT) == 0


async def test_thousands_of_cancels_leave_the_rest_in_order(queue: PredictionQueue) -> None:
    """Every second of a thousand goes; the others run in their order."""
    submitted = await queue.submit_many("mock", [{"input": str(n)} for n in range(1000)])

    def kept(of: list[Prediction]) -> list[str]:
        return [p.prediction_id for p in of[1::2]]

    await asyncio.gather(*(queue.cancel(p.prediction_id) for p in submitted[::2]))
    assert ids(await claim(queue, room=1000)) == kept(submitted)


async def aborted(settings: Settings, job_id: str) -> bool:
    """arq's ``Job.abort`` on arq's client."""
    assert settings.redis_url is not None
    client = await create_pool(
        RedisSettings.from_dsn(settings.redis_url), job_serializer=serialize, job_deserializer=deserialize
    )
    try:
        return await Job(job_id, client, _deserializer=deserialize).abort(timeout=10, poll_delay=0.01)
    finally:
        await client.aclose()


async def both_asked(queue: PredictionQueue) -> bool:
    """Both aborts have reached Redis."""
    return await queue.zcard(keys.ARQ_ABORT) == 2
