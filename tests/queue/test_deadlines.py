"""Deadlines while a prediction waits, and time-outs while it runs."""

import asyncio

import msgspec
import pytest

from tests.queue.begins import Begins
from tests.queue.conftest import StartWorker
from zypher_jobs.contracts.prediction import Prediction, Priority, Status
from zypher_jobs.models import Model, ModelRegistry
from zypher_jobs.models.retries import RetryPolicy
from zypher_jobs.queue import PredictionQueue
from zypher_jobs.settings import Settings


class Nothing(msgspec.Struct):
    """No input, no output."""


class Hangs(Model[Nothing, Nothing]):
    """Runs until it is stopped."""

    async def predict(self, input: Nothing) -> Nothing:
        """Never returns."""
        await asyncio.Event().wait()
        return input


class FailsForNow(Model[Nothing, Nothing]):
    """Is to be tried again in a minute or so."""

    retries = RetryPolicy(backoff_s=1e9, max_backoff_s=1e9)

    async def predict(self, input: Nothing) -> Nothing:
        """Raises what may pass."""
        raise ConnectionError("away")


@pytest.fixture
async def models(registry: ModelRegistry) -> ModelRegistry:
    """These models beside the built-in ones."""
    registry.add(Hangs)
    registry.add(FailsForNow)
    await registry.load_all()
    return registry


def check_expired(ended: Prediction) -> None:
    """Not begun in time: said so, and never begun."""
    assert ended.status is Status.EXPIRED
    assert ended.error is not None
    assert ended.error.code == "expired"
    assert ended.finished_at is not None
    assert ended.deadline_at is not None
    assert ended.finished_at >= ended.deadline_at
    assert ended.output is None


async def test_what_waits_past_its_deadline_expires_by_itself(
    queue: PredictionQueue, start_worker: StartWorker
) -> None:
    """Its worker is busy with another all the while; what has no deadline stays."""
    begins = Begins(held=True)
    await start_worker(begins.functions, max_jobs=1)
    await queue.submit("mock", "busy")
    await begins.count(1)
    late = await queue.submit("mock", "late", expires_in_s=0.2)
    patient = await queue.submit("mock", "patient", expires_in_s=60)
    assert late.deadline_at is not None
    assert 0.15 < (late.deadline_at - late.created_at).total_seconds() < 0.25
    ended = await queue.wait_for(late.prediction_id, 5)
    check_expired(ended)
    assert late.prediction_id not in begins.ids
    assert ended.deadline_at is not None
    assert ended.finished_at is not None
    assert (ended.finished_at - ended.deadline_at).total_seconds() < 2
    assert (await queue.prediction(patient.prediction_id)).status is Status.QUEUED
    begins.released.set()
    assert (await queue.wait_for(patient.prediction_id, 10)).status is Status.SUCCEEDED
    assert await queue.inspect.dead_letters() == []


@pytest.mark.parametrize("priority", list(Priority))
async def test_a_deadline_passes_in_a_paused_queue_too(
    queue: PredictionQueue, start_worker: StartWorker, priority: Priority
) -> None:
    """Nothing is begun there, and it is still told in time."""
    await queue.pause(priority)
    begins = Begins()
    await start_worker(begins.functions)
    late = await queue.submit("mock", "late", priority=priority, expires_in_s=0.1)
    check_expired(await queue.wait_for(late.prediction_id, 5))
    assert begins.ids == []


async def test_what_is_past_its_deadline_when_a_worker_comes_is_not_begun(
    queue: PredictionQueue, start_worker: StartWorker
) -> None:
    """Hundreds had waited for nobody: all expire, and the one that may still run does."""
    late = [await queue.submit("mock", "late", expires_in_s=0.001) for _ in range(300)]
    fresh = await queue.submit("mock", "fresh")
    begins = Begins()
    await start_worker(begins.functions)
    for prediction in late:
        check_expired(await queue.wait_for(prediction.prediction_id, 20))
    assert (await queue.wait_for(fresh.prediction_id, 10)).status is Status.SUCCEEDED
    assert begins.values == ["fresh"]


async def test_a_deadline_that_passes_while_it_runs_does_not_matter(
    queue: PredictionQueue, start_worker: StartWorker
) -> None:
    """It was begun in time."""
    begins = Begins(held=True)
    await start_worker(begins.functions, max_jobs=4)
    running = await queue.submit("mock", "running", expires_in_s=1)
    await begins.count(1)
    await queue.pause()
    sentinel = await queue.submit("mock", "waits", expires_in_s=1.1)
    check_expired(await queue.wait_for(sentinel.prediction_id, 5))
    begins.released.set()
    assert (await queue.wait_for(running.prediction_id, 5)).status is Status.SUCCEEDED


@pytest.mark.usefixtures("models")
async def test_a_retry_is_not_begun_after_the_deadline(queue: PredictionQueue, start_worker: StartWorker) -> None:
    """It failed once, would be tried again much later, and expires instead."""
    await start_worker()
    submitted = await queue.submit("fails-for-now", {}, expires_in_s=2)
    ended = await queue.wait_for(submitted.prediction_id, 10)
    check_expired(ended)
    assert [past.error.code for past in ended.past_attempts] == ["model_error"]


async def test_a_run_that_takes_too_long_fails_with_a_code_of_its_own(
    queue: PredictionQueue, start_worker: StartWorker, models: ModelRegistry, settings: Settings
) -> None:
    """``timeout``, after the time that the settings allow; its worker goes on."""
    short = msgspec.structs.replace(settings, run_timeout_s=0.2)
    await start_worker(ctx={"registry": models, "settings": short}, max_jobs=1)
    hung = await queue.submit("hangs", {})
    other = await queue.submit("mock", {"input": "a"})
    ended = await queue.wait_for(hung.prediction_id, 5)
    assert ended.status is Status.FAILED
    assert ended.error is not None
    assert ended.error.code == "timeout"
    assert "0.2 s" in ended.error.message
    assert ended.run_ms is not None
    assert 200 <= ended.run_ms < 1_000
    assert (await queue.wait_for(other.prediction_id, 5)).status is Status.SUCCEEDED
    assert [letter.error.code for letter in await queue.inspect.dead_letters()] == ["timeout"]


@pytest.mark.usefixtures("models")
async def test_a_prediction_may_have_a_shorter_time_out_of_its_own(
    queue: PredictionQueue, start_worker: StartWorker
) -> None:
    """The one beside it runs on under the settings' five minutes."""
    await start_worker()
    short = await queue.submit("hangs", {}, timeout_s=0.1)
    default = await queue.submit("hangs", {})
    ended = await queue.wait_for(short.prediction_id, 5)
    assert ended.error is not None
    assert (ended.status, ended.error.code) == (Status.FAILED, "timeout")
    assert "0.1 s" in ended.error.message
    assert (await queue.prediction(default.prediction_id)).status is Status.RUNNING
    await queue.cancel(default.prediction_id)
    assert (await queue.wait_for(default.prediction_id, 5)).status is Status.CANCELED


async def test_a_prediction_cannot_have_a_longer_time_out_than_the_settings_allow(
    queue: PredictionQueue, start_worker: StartWorker, models: ModelRegistry, settings: Settings
) -> None:
    """A caller does not keep a worker for ever."""
    short = msgspec.structs.replace(settings, run_timeout_s=0.1)
    await start_worker(ctx={"registry": models, "settings": short})
    hung = await queue.submit("hangs", {}, timeout_s=600)
    ended = await queue.wait_for(hung.prediction_id, 5)
    assert ended.error is not None
    assert ended.error.code == "timeout"
