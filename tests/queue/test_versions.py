"""A prediction's record says which version of its model it ran on."""

import msgspec
import pytest

from tests.queue.conftest import StartWorker
from zypher_jobs.models import Model, ModelRegistry
from zypher_jobs.models.context import context
from zypher_jobs.queue import PredictionQueue


class Number(msgspec.Struct):
    """What both versions take and answer."""

    number: int


class First(Model[Number, Number]):
    """Version 1."""

    name = "plus"
    version = "1"

    def predict(self, input: Number) -> Number:
        """Fail for what is negative."""
        if input.number < 0:
            raise ValueError("negative")
        return Number(input.number + 1)


class Second(Model[Number, Number]):
    """Version 2, which takes everything, at the second attempt if it is large."""

    name = "plus"
    version = "2"

    def predict(self, input: Number) -> Number:
        """Add two, or what shows the attempt."""
        if input.number == 0:
            raise ValueError("zero")
        return Number(input.number + 1 + context.attempt)


@pytest.fixture
async def plus(registry: ModelRegistry, start_worker: StartWorker) -> ModelRegistry:
    """A worker that serves version 2 only."""
    registry.add(First)
    registry.add(Second)
    await registry.load_all()
    registry.versions("plus").remove("1")
    await start_worker()
    return registry


async def test_a_prediction_for_a_version_that_is_gone_is_recorded_with_the_one_that_answered(
    plus: ModelRegistry, queue: PredictionQueue
) -> None:
    """The live one answers, and both who waits and who reads later is told so."""
    submitted = await queue.submit("plus", Number(3), version="1", will_wait=True)
    assert submitted.version == "1"
    waited = await queue.wait_for(submitted, 10)
    assert (waited.output, waited.version) == ({"number": 5}, "2")
    assert (await queue.prediction(submitted.prediction_id)).version == "2"


async def test_a_failure_is_recorded_with_the_version_that_failed(plus: ModelRegistry, queue: PredictionQueue) -> None:
    """The dead letter does not blame another version."""
    submitted = await queue.submit("plus", Number(0), version="1")
    ended = await queue.wait_for(submitted.prediction_id, 10)
    assert (ended.status, ended.version) == ("failed", "2")


async def test_a_replay_runs_on_the_live_version(
    registry: ModelRegistry, start_worker: StartWorker, queue: PredictionQueue
) -> None:
    """What failed on version 1 is replayed after version 2, which mends it, has gone live."""
    registry.add(First)
    await registry.load_all()
    await start_worker()
    failed = await queue.submit("plus", Number(-5), version="1")
    assert (await queue.wait_for(failed.prediction_id, 10)).status == "failed"
    registry.add(Second)
    await registry.load_all()
    replayed = await queue.wait_for((await queue.replay(failed.prediction_id)).prediction_id, 10)
    assert (replayed.status, replayed.output, replayed.version) == ("succeeded", {"number": -3}, "2")
