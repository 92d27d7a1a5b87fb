"""The worker: any arq function, predictions, failures, drains and outages."""

import asyncio
import signal
import sys
import textwrap
from typing import Any

import msgspec
import pytest
from arq.jobs import Job
from arq.worker import Retry, func

from tests.queue.conftest import StartWorker, running_worker
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.errors import PredictionFailed
from zypher_jobs.models import ModelRegistry
from zypher_jobs.queue import PredictionQueue, keys
from zypher_jobs.queue.embedded import EmbeddedServer
from zypher_jobs.settings import LatencyRange, Settings
from zypher_jobs.testing import wait_until


async def test_a_submitted_prediction_is_run_and_its_waiter_woken(
    queue: PredictionQueue, start_worker: StartWorker
) -> None:
    """The output of the mock model, wait and run times, the worker's id."""
    worker = await start_worker()
    submitted = await queue.submit("mock", {"input": "hello"})
    ended = await queue.wait_for(submitted.prediction_id, 10)
    assert ended.status is Status.SUCCEEDED
    assert ended.output["result"] == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert (ended.attempts, ended.worker, ended.progress) == (1, worker.worker_id, 1.0)
    assert ended.wait_ms is not None
    assert ended.run_ms is not None


async def test_a_failing_model_fails_its_prediction_with_its_error(
    queue: PredictionQueue, start_worker: StartWorker, settings: Settings
) -> None:
    """The reason is told by id; the worker goes on."""
    failing = msgspec.structs.replace(settings, mock_failure_rate=1.0)
    registry = ModelRegistry.from_settings(failing)
    await registry.load_all()
    await start_worker(ctx={"registry": registry, "settings": failing})
    submitted = await queue.submit("mock", {"input": "hello"})
    ended = await queue.wait_for(submitted.prediction_id, 10)
    assert ended.status is Status.FAILED
    assert ended.error is not None
    assert ended.error.code == "model_error"
    other = await queue.submit("nobody", {"input": "hello"})
    unknown = await queue.wait_for(other.prediction_id, 10)
    assert unknown.error is not None
    assert unknown.error.code == "unknown_model"
    await registry.close()


async def test_any_arq_function_runs(queue: PredictionQueue, start_worker: StartWorker) -> None:
    """With arq's context, arguments, ``Retry`` and results."""

    async def add(ctx: dict[Any, Any], a: int, *, b: int) -> dict[str, Any]:
        if ctx["job_try"] < 3:
            raise Retry(defer=0.01)
        return {"sum": a + b, "tries": ctx["job_try"], "job_id": ctx["job_id"]}

    await start_worker([func(add, name="add")])
    job = await queue.enqueue_job("add", 1, b=2)
    assert job is not None
    assert await job.result(timeout=10, poll_delay=0.01) == {"sum": 3, "tries": 3, "job_id": job.job_id}


async def test_hooks_and_missing_functions_do_not_end_the_worker(
    queue: PredictionQueue, start_worker: StartWorker
) -> None:
    """A stock arq worker ends on each of these."""
    called: list[str] = []

    async def works(ctx: dict[Any, Any]) -> str:
        return "done"

    async def broken(ctx: dict[Any, Any]) -> None:
        called.append("hook")
        raise RuntimeError("a hook that raises")

    hooks = {"on_job_start": broken, "on_job_end": broken, "after_job_end": broken}
    await start_worker([func(works, name="works")], keep_result_forever=True, **hooks)
    missing = await queue.enqueue_job("missing")
    assert missing is not None
    with pytest.raises(PredictionFailed, match="function 'missing' not found"):
        await missing.result(timeout=10, poll_delay=0.01)
    job = await queue.enqueue_job("works")
    assert job is not None
    assert await job.result(timeout=10, poll_delay=0.01) == "done"
    await wait_until(lambda: len(called) >= 4)


async def test_a_timeout_and_an_unreadable_job_and_an_unkeepable_output_are_failures(
    queue: PredictionQueue, start_worker: StartWorker
) -> None:
    """Each ends with a reason."""

    async def hangs(ctx: dict[Any, Any]) -> None:
        await asyncio.Event().wait()

    async def unkeepable(ctx: dict[Any, Any]) -> object:
        return object()

    await start_worker([func(hangs, name="hangs", timeout=0.05), func(unkeepable, name="unkeepable")])
    hung = await queue.enqueue_job("hangs")
    kept = await queue.enqueue_job("unkeepable")
    await queue.set(keys.job("broken"), b"\xc1 no MessagePack", px=60_000)
    await queue.zadd(keys.ARQ_QUEUE, {"broken": 1})
    assert hung is not None
    assert kept is not None
    with pytest.raises(PredictionFailed, match=r"longer than 0\.05 s"):
        await hung.result(timeout=10, poll_delay=0.01)
    with pytest.raises(PredictionFailed, match="cannot be kept"):
        await kept.result(timeout=10, poll_delay=0.01)
    with pytest.raises(PredictionFailed, match="unable to deserialize"):
        await Job("broken", queue, _deserializer=queue.job_deserializer).result(timeout=10, poll_delay=0.01)


async def test_attempts_are_bounded(queue: PredictionQueue, start_worker: StartWorker) -> None:
    """A prediction whose workers keep dying is given up, and says so."""
    submitted = await queue.submit("mock", {"input": "a"})
    await queue.set(keys.ARQ_RETRY + submitted.prediction_id, 5)
    await start_worker(max_tries=5)
    ended = await queue.wait_for(submitted.prediction_id, 10)
    assert ended.error is not None
    assert ended.error.code == "attempts_exhausted"


async def test_a_stopping_worker_hands_back_what_it_runs(
    queue: PredictionQueue, settings: Settings, registry: ModelRegistry, start_worker: StartWorker
) -> None:
    """Another worker takes it at once, as the first attempt: no lease is waited out."""
    started = asyncio.Event()

    async def hangs(ctx: dict[Any, Any]) -> None:
        started.set()
        await asyncio.Event().wait()

    async def works(ctx: dict[Any, Any]) -> int:
        return int(ctx["job_try"])

    async with running_worker(settings, registry, [func(hangs, name="work")]):
        job = await queue.enqueue_job("work")
        await asyncio.wait_for(started.wait(), 10)
    assert job is not None
    await start_worker([func(works, name="work")])
    assert await job.result(timeout=2, poll_delay=0.01) == 1


async def test_a_killed_workers_prediction_runs_again_within_its_lease(
    queue: PredictionQueue, start_worker: StartWorker
) -> None:
    """The lease is all that is left of a killed worker; once it ends another worker claims, attempt 2."""
    submitted = await queue.submit("mock", {"input": "a"})
    claimed = await queue.scripts.claim(queues=[keys.ARQ_QUEUE], worker_id="killed", room=1, lease_ms=300)
    assert len(claimed.claims) == 1
    await start_worker()
    ended = await queue.wait_for(submitted.prediction_id, 5)
    assert (ended.status, ended.attempts) == (Status.SUCCEEDED, 2)


async def test_a_lease_outlives_a_model_that_holds_the_gil_in_c(
    queue: PredictionQueue, settings: Settings, start_worker: StartWorker
) -> None:
    """Its worker's every thread stands still for several leases; another worker does not take the prediction."""
    hog = textwrap.dedent(
        f"""
        import asyncio
        from arq.worker import func
        from zypher_jobs.queue import PredictionQueue
        from zypher_jobs.settings import Settings
        from zypher_jobs.worker import PredictionWorker

        async def hogs(ctx):
            sum(range(120_000_000))  # one call into C, about 2 s, without a moment for another thread
            return ctx["job_try"]

        async def main():
            queue = PredictionQueue.from_settings(Settings(redis_url={settings.redis_url!r}))
            worker = PredictionWorker([func(hogs, name="hogs")], redis_pool=queue, lease_s=0.6)
            await worker.async_run()

        asyncio.run(main())
        """
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", hog)
    try:
        job = await queue.enqueue_job("hogs")
        assert job is not None
        await wait_until(lambda: queue.exists(keys.ARQ_IN_PROGRESS + job.job_id), timeout_s=20)

        async def second(ctx: dict[Any, Any]) -> str:
            return "run twice"

        await start_worker([func(second, name="hogs")], lease_s=0.6)
        assert await job.result(timeout=30, poll_delay=0.05) == 1
    finally:
        process.kill()
        await process.wait()


async def test_a_stopped_workers_lease_lapses_though_its_keeper_lives(
    queue: PredictionQueue, settings: Settings, start_worker: StartWorker
) -> None:
    """SIGSTOP to the worker alone: it cannot finish what it holds; another takes it, its late finish is refused."""
    environment = {"ZYPHER_REDIS_URL": str(settings.redis_url), "ZYPHER_LEASE_S": "0.6", "PATH": "/usr/bin:/bin"}
    environment["ZYPHER_MOCK_LATENCY_MS"] = "1500"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "zypher_jobs.cli", "worker"), env=environment, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        submitted = await queue.submit("mock", {"input": "a"})

        async def running() -> bool:
            return (await queue.prediction(submitted.prediction_id)).status is Status.RUNNING

        await wait_until(running, timeout_s=20)
        process.send_signal(signal.SIGSTOP)
        await start_worker()
        ended = await queue.wait_for(submitted.prediction_id, 10)
        assert (ended.status, ended.attempts) == (Status.SUCCEEDED, 2)
        process.send_signal(signal.SIGCONT)
        assert (await queue.prediction(submitted.prediction_id)).attempts == 2
    finally:
        process.kill()
        await process.wait()


async def test_a_worker_lives_through_an_outage_and_reports_what_it_ran(
    valkey: EmbeddedServer, valkey_settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """Redis is killed while a prediction runs and started again: its result arrives, once."""
    slow = msgspec.structs.replace(valkey_settings, mock_latency_ms=LatencyRange(300, 300))
    registry = ModelRegistry.from_settings(slow)
    await registry.load_all()
    queue = PredictionQueue.from_settings(slow)
    async with running_worker(slow, registry) as worker:
        submitted = await queue.submit("mock", {"input": "a"})
        await wait_until(lambda: bool(worker.tasks))
        valkey.kill()
        await wait_until(lambda: "cannot report" in caplog.messages)
        valkey.start()
        ended = await queue.wait_for(submitted.prediction_id, 10)
        assert (ended.status, ended.attempts) == (Status.SUCCEEDED, 1)
        after = await queue.submit("mock", {"input": "b"})
        assert (await queue.wait_for(after.prediction_id, 10)).status is Status.SUCCEEDED
    await queue.aclose()
    await registry.close()


async def test_burst_mode_ends_when_the_queue_is_empty(queue: PredictionQueue, settings: Settings) -> None:
    """As ``arq --burst`` does."""

    async def works(ctx: dict[Any, Any]) -> None: ...

    for _ in range(20):
        await queue.enqueue_job("works")
    worker = await _burst(settings, [func(works, name="works")])
    assert worker.jobs_complete == 20
    assert await queue.zcard(keys.ARQ_QUEUE) == 0


async def test_workers_are_seen_by_their_heartbeat(queue: PredictionQueue, start_worker: StartWorker) -> None:
    """With what they run; and gone at once when they stop."""

    async def alive() -> bool:
        return bool((await queue.inspect.overview()).workers)

    worker = await start_worker(models=["mock"], max_jobs=7)
    await wait_until(alive)
    (seen,) = (await queue.inspect.overview()).workers
    assert (seen.worker_id, seen.slots, seen.models) == (worker.worker_id, 7, ["mock"])
    assert seen.rss_bytes > 1_000_000
    await worker.close()
    assert (await queue.inspect.overview()).workers == []


async def _burst(settings: Settings, functions: list[Any]) -> Any:
    from zypher_jobs.worker import PredictionWorker

    worker = PredictionWorker(
        functions, redis_pool=PredictionQueue.from_settings(settings), handle_signals=False, burst=True
    )
    await asyncio.wait_for(worker.async_run(), 10)
    await worker.close()
    return worker
