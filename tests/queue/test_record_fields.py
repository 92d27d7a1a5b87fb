"""What is known of each prediction and of each worker."""

import os
import platform
from datetime import UTC, datetime, timedelta

import pytest

from tests.queue.begins import Begins
from tests.queue.conftest import StartWorker
from zypher_jobs import __version__
from zypher_jobs.contracts.prediction import Mode, Priority, Status
from zypher_jobs.contracts.stats import WorkerStats
from zypher_jobs.queue import PredictionQueue
from zypher_jobs.testing import wait_until


async def heartbeat(queue: PredictionQueue, **expected: object) -> WorkerStats:
    """The only worker's, once it says what is expected."""

    async def said() -> WorkerStats | None:
        workers = (await queue.inspect.overview(latest=0)).workers
        fits = len(workers) == 1 and all(getattr(workers[0], name) == value for name, value in expected.items())
        return workers[0] if fits else None

    found = await wait_until(said)
    assert found is not None
    return found


async def test_a_record_says_who_ran_what_when_and_how_large(queue: PredictionQueue, start_worker: StartWorker) -> None:
    """From its submit to its end: version, priority, sizes, worker, attempts, and times in order."""
    before = datetime.now(UTC) - timedelta(milliseconds=2)
    submitted = await queue.submit(
        "mock",
        {"input": "hello"},
        version="2026-01",
        input_preview='{"input":"hello"}',
        input_bytes=17,
        priority=Priority.HIGH,
        caller="me",
        expires_in_s=60,
    )
    waiting = await queue.prediction(submitted.prediction_id)
    for known in (submitted, waiting):
        assert (known.status, known.mode, known.model, known.version) == (
            Status.QUEUED,
            Mode.ASYNC,
            "mock",
            "2026-01",
        )
        assert (known.priority, known.input_bytes, known.attempts) == (Priority.HIGH, 17, 0)
        assert (known.started_at, known.finished_at, known.worker, known.output) == (None, None, None, None)
        assert known.deadline_at is not None
    worker = await start_worker()
    ended = await queue.wait_for(submitted.prediction_id, 10)
    assert (ended.status, ended.version, ended.priority, ended.attempts) == (
        Status.SUCCEEDED,
        "1",  # no worker serves 2026-01
        Priority.HIGH,
        1,
    )
    assert (ended.worker, ended.input_bytes) == (worker.worker_id, 17)
    assert ended.output_bytes > len(ended.output["result"])
    assert ended.started_at is not None
    assert ended.finished_at is not None
    assert before <= ended.created_at <= ended.started_at <= ended.finished_at
    assert ended.finished_at <= datetime.now(UTC) + timedelta(milliseconds=2)
    assert ended.wait_ms == pytest.approx((ended.started_at - ended.created_at).total_seconds() * 1000, abs=1)
    assert ended.run_ms is not None
    assert ended.run_ms <= (ended.finished_at - ended.started_at).total_seconds() * 1000 + 2
    assert (ended.queue_position, ended.estimated_wait_ms) == (None, None)
    ((summary,), _) = await queue.inspect.list_predictions(Status.SUCCEEDED)
    assert (summary.input_preview, summary.worker) == ('{"input":"hello"}', worker.worker_id)
    assert summary.output_preview.startswith('{"input":"hello"')
    assert (summary.run_ms, summary.wait_ms, summary.attempts) == (ended.run_ms, ended.wait_ms, 1)


async def test_a_running_one_says_since_when_and_where(queue: PredictionQueue, start_worker: StartWorker) -> None:
    """Before it has ended."""
    begins = Begins(held=True)
    worker = await start_worker(begins.functions)
    submitted = await queue.submit("mock", "x")
    await begins.count(1)
    running = await queue.prediction(submitted.prediction_id)
    assert (running.status, running.worker, running.attempts) == (Status.RUNNING, worker.worker_id, 1)
    assert running.started_at is not None
    assert (running.finished_at, running.run_ms, running.queue_position) == (None, None, None)
    begins.released.set()


async def test_the_wait_is_estimated_from_place_and_rate(queue: PredictionQueue, start_worker: StartWorker) -> None:
    """Unknown while nothing has ended lately; then in proportion to the number ahead."""
    first = await queue.submit("mock", "x")
    assert (await queue.prediction(first.prediction_id)).estimated_wait_ms is None
    begins = Begins()
    await start_worker(begins.functions)
    for _ in range(20):
        await queue.wait_for((await queue.submit("mock", "x")).prediction_id, 10)
    await queue.pause()
    waiting = await queue.submit_many("mock", ["x"] * 40)
    known = [await queue.prediction(prediction.prediction_id) for prediction in waiting]
    assert [prediction.queue_position for prediction in known] == list(range(40))
    rate_per_s = (await queue.inspect.overview(latest=0)).ended_per_s
    assert rate_per_s > 0
    for place, prediction in enumerate(known):
        assert prediction.estimated_wait_ms == pytest.approx(place / rate_per_s * 1000, rel=0.2)


async def test_a_place_moves_up_as_those_before_it_go(queue: PredictionQueue) -> None:
    """Canceled ones are not waited for; another priority's do not count."""
    waiting = [await queue.submit("mock", "x") for _ in range(5)]
    await queue.submit("mock", "x", priority=Priority.LOW)
    await queue.cancel(waiting[0].prediction_id)
    await queue.cancel(waiting[2].prediction_id)
    places = [(await queue.prediction(waiting[number].prediction_id)).queue_position for number in (1, 3, 4)]
    assert places == [0, 1, 2]


async def test_a_heartbeat_says_what_a_worker_is_and_does(queue: PredictionQueue, start_worker: StartWorker) -> None:
    """Host, process, version, models, places; how many run now, memory, and what has become of its predictions."""
    begins = Begins(held=True)
    started = datetime.now(UTC)
    worker = await start_worker(begins.functions, max_jobs=9, models=["mock", "digits"])
    seen = await heartbeat(queue, running=0)
    assert (seen.worker_id, seen.host, seen.pid) == (worker.worker_id, platform.node(), os.getpid())
    assert (seen.version, seen.models, seen.slots) == (__version__, ["mock", "digits"], 9)
    assert (seen.succeeded, seen.failed, seen.draining) == (0, 0, False)
    assert seen.rss_bytes > 10_000_000
    assert abs(seen.started_at - started) < timedelta(seconds=10)
    running = [await queue.submit("mock", "x") for _ in range(3)]
    await begins.count(3)
    assert (await heartbeat(queue, running=3)).seen_at > seen.seen_at
    begins.released.set()
    for prediction in running:
        await queue.wait_for(prediction.prediction_id, 10)
    await queue.enqueue_job("missing")
    assert (await heartbeat(queue, running=0, succeeded=3, failed=1)).worker_id == worker.worker_id
