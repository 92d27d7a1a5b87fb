"""Histograms of waits and runs, added up over all workers."""

import msgspec
import pytest

from tests.queue.conftest import StartWorker, running_worker
from zypher_jobs.contracts.prediction import Mode, Prediction
from zypher_jobs.contracts.stats import LatencyHistogram
from zypher_jobs.models import Model, ModelRegistry
from zypher_jobs.queue import PredictionQueue
from zypher_jobs.queue.latency import bucket_of
from zypher_jobs.settings import LatencyRange, Settings


class Nothing(msgspec.Struct):
    """No input, no output."""


class Fails(Model[Nothing, Nothing]):
    """Each time."""

    async def predict(self, input: Nothing) -> Nothing:
        """Raises."""
        raise ValueError("as always")


async def histogram(queue: PredictionQueue, kind: str) -> LatencyHistogram:
    """Of the mock model's queued predictions."""
    latencies = (await queue.inspect.overview(latest=0)).latencies
    (found,) = [one for one in latencies if (one.model, one.mode, one.kind) == ("mock", Mode.ASYNC, kind)]
    return found


async def run(queue: PredictionQueue, count: int) -> list[Prediction]:
    """So many, to their ends."""
    submitted = [await queue.submit("mock", {"input": str(number)}) for number in range(count)]
    return [await queue.wait_for(prediction.prediction_id, 10) for prediction in submitted]


def buckets(durations_ms: list[float], like: LatencyHistogram) -> list[int]:
    """What the histogram should count."""
    counts = [0] * len(like.counts)
    for duration_ms in durations_ms:
        counts[bucket_of(duration_ms)] += 1
    return counts


async def test_two_workers_are_counted_as_one(
    queue: PredictionQueue, settings: Settings, registry: ModelRegistry
) -> None:
    """Every run in the bucket of the time that its record has, those of the first worker and of the second."""
    slow = ModelRegistry.from_settings(msgspec.structs.replace(settings, mock_latency_ms=LatencyRange(12, 22)))
    await slow.load_all()
    async with running_worker(settings, registry) as first:
        ended = await run(queue, 30)
    async with running_worker(settings, slow, ctx={"registry": slow, "settings": settings}) as second:
        ended += await run(queue, 20)
    await slow.close()
    assert {prediction.worker for prediction in ended} == {first.worker_id, second.worker_id}
    runs_ms = [prediction.run_ms for prediction in ended if prediction.run_ms is not None]
    of_runs = await histogram(queue, "run")
    assert of_runs.counts == buckets(runs_ms, of_runs)
    assert sum(of_runs.counts) == 50
    assert of_runs.sum_ms == pytest.approx(sum(runs_ms), abs=0.1)
    assert len(of_runs.counts) == len(of_runs.bounds_ms) + 1
    assert sum(of_runs.counts[bucket_of(10.1) :]) >= 20, "the slow twenty took more than 10 ms each"


async def test_waits_are_those_of_the_records(queue: PredictionQueue, start_worker: StartWorker) -> None:
    """Submitted in a paused queue, so that each has waited for a while."""
    await queue.pause()
    await start_worker()
    submitted = [await queue.submit("mock", {"input": str(number)}) for number in range(40)]
    timer = await queue.submit("timer", {}, expires_in_s=0.3)
    await queue.wait_for(timer.prediction_id, 5)
    await queue.resume()
    ended = [await queue.wait_for(prediction.prediction_id, 10) for prediction in submitted]
    waits_ms = [prediction.wait_ms for prediction in ended if prediction.wait_ms is not None]
    of_waits = await histogram(queue, "wait")
    assert min(waits_ms) > 250
    assert sum(of_waits.counts[bucket_of(250.1) :]) == sum(of_waits.counts) == 40
    assert of_waits.sum_ms == pytest.approx(sum(waits_ms), rel=0.02)


async def test_failures_are_timed_as_well_and_models_apart(
    queue: PredictionQueue, registry: ModelRegistry, start_worker: StartWorker
) -> None:
    """A model that fails slowly would else look quick."""
    registry.add(Fails)
    await registry.load_all()
    await start_worker()
    await run(queue, 3)
    for _ in range(2):
        failed = await queue.submit("fails", {})
        await queue.wait_for(failed.prediction_id, 10)
    latencies = (await queue.inspect.overview(latest=0)).latencies
    for kind in ("wait", "run"):
        assert {one.model: sum(one.counts) for one in latencies if one.kind == kind} == {"mock": 3, "fails": 2}


async def test_the_total_is_a_histogram_of_its_own(queue: PredictionQueue, start_worker: StartWorker) -> None:
    """From created to finished: it cannot be told from the waits and the runs."""
    await start_worker()
    ended = await run(queue, 25)
    kinds = {one.kind for one in (await queue.inspect.overview(latest=0)).latencies}
    assert kinds == {"wait", "run", "total"}
    of_totals = await histogram(queue, "total")
    assert sum(of_totals.counts) == 25
    totals_ms = sum((p.finished_at - p.created_at).total_seconds() * 1000 for p in ended if p.finished_at)
    parts_ms = (await histogram(queue, "wait")).sum_ms + (await histogram(queue, "run")).sum_ms
    assert of_totals.sum_ms == pytest.approx(parts_ms, abs=0.1)
    # the report itself takes its time, and both ends of each are whole milliseconds
    assert parts_ms <= totals_ms + 25 * 2
