"""A model's retry policy: which failures of a queued prediction are worth another attempt, how often, and when."""

import asyncio
from itertools import pairwise
from typing import Any, ClassVar

import msgspec
import pytest

from tests.queue.conftest import StartWorker
from zypher_jobs.contracts.prediction import Prediction, Status
from zypher_jobs.models import Model, ModelRegistry
from zypher_jobs.models.retries import RetryPolicy
from zypher_jobs.queue import PredictionQueue
from zypher_jobs.settings import Settings


class Failures(msgspec.Struct):
    """How often to fail, and how."""

    times: int
    kind: str = "connection"


class Fails(Model[Failures, Failures]):
    """Fails so often, then succeeds."""

    retries = RetryPolicy(max_attempts=4, backoff_s=0.01)
    began_s: ClassVar[dict[str, list[float]]] = {}
    """For each model, when its attempts began."""

    async def predict(self, input: Failures) -> Failures:
        """Raise what was asked for, or never return."""
        began_s = Fails.began_s.setdefault(type(self).__name__, [])
        began_s.append(asyncio.get_running_loop().time())
        if len(began_s) > input.times:
            return input
        if input.kind == "hang":
            await asyncio.Event().wait()
        raise {"connection": ConnectionResetError, "time-out": TimeoutError, "value": ValueError}[input.kind]("flaky")


class FailsTwiceAtMost(Fails):
    """Two attempts."""

    name = "fails-twice"
    retries = RetryPolicy(max_attempts=2, backoff_s=0.01)


class RetriesValues(Fails):
    """With a list of its own."""

    name = "retries-values"
    retries = RetryPolicy(max_attempts=2, backoff_s=0.01, retry_on=(ValueError,))


class RetriesTimeouts(Fails):
    """A time-out is worth another attempt here."""

    name = "retries-timeouts"
    retries = RetryPolicy(max_attempts=2, backoff_s=0.01, retry_timeouts=True)


class BacksOff(Fails):
    """With pauses that can be told from the work."""

    name = "backs-off"
    retries = RetryPolicy(max_attempts=5, backoff_s=0.1, max_backoff_s=0.3)


class Patient(Fails):
    """More attempts than a worker gives to what its workers die under."""

    retries = RetryPolicy(max_attempts=8, backoff_s=0.001)


@pytest.fixture
async def run(queue: PredictionQueue, registry: ModelRegistry, settings: Settings, start_worker: StartWorker) -> Any:
    """Runs one prediction of one of these models to its end."""
    for model in (Fails, FailsTwiceAtMost, RetriesValues, RetriesTimeouts, BacksOff, Patient):
        registry.add(model)
    await registry.load_all()
    Fails.began_s.clear()
    ctx = {"registry": registry, "settings": msgspec.structs.replace(settings, run_timeout_s=0.1)}
    await start_worker(ctx=ctx)

    async def run_one(model: type[Fails], **failures: Any) -> Prediction:
        name = model.name or model.__name__.lower()
        submitted = await queue.submit(name, {"times": 1, **failures})
        return await queue.wait_for(submitted.prediction_id, 10)

    return run_one


@pytest.mark.parametrize("kind", ["connection", "time-out"])
async def test_a_failure_that_may_pass_is_tried_again(run: Any, kind: str) -> None:
    """A connection that broke, a time-out of the model's own calls: the third attempt succeeds, and is counted."""
    ended = await run(Fails, times=2, kind=kind)
    assert (ended.status, ended.attempts, ended.error) == (Status.SUCCEEDED, 3, None)
    assert len(Fails.began_s["Fails"]) == 3


@pytest.mark.parametrize(("model", "attempts"), [(Fails, 4), (FailsTwiceAtMost, 2), (Patient, 8)])
async def test_attempts_end_at_the_models_own_limit(
    run: Any, queue: PredictionQueue, model: type[Fails], attempts: int
) -> None:
    """The last failure is the prediction's, and it becomes a dead letter with all its attempts."""
    ended = await run(model, times=99)
    assert (ended.status, ended.attempts) == (Status.FAILED, attempts)
    assert (ended.error.code, ended.error.message) == ("model_error", "ConnectionResetError: flaky")
    assert len(Fails.began_s[model.__name__]) == attempts
    assert [letter.attempts for letter in await queue.inspect.dead_letters()] == [attempts]


async def test_a_failure_that_is_not_covered_is_not_tried_again(run: Any) -> None:
    """The same input would fail the same way."""
    ended = await run(Fails, kind="value")
    assert (ended.status, ended.attempts) == (Status.FAILED, 1)
    assert len(Fails.began_s["Fails"]) == 1


async def test_a_model_says_itself_what_is_worth_it(run: Any) -> None:
    """Its list replaces the one that all others have."""
    assert (await run(RetriesValues, kind="value")).attempts == 2
    assert (await run(RetriesValues, times=99, kind="connection")).attempts == 1


async def test_a_run_that_took_too_long_is_tried_again_only_where_the_model_says_so(run: Any) -> None:
    """By default the time-out is the end."""
    ended = await run(Fails, kind="hang")
    assert (ended.status, ended.attempts, ended.error.code) == (Status.FAILED, 1, "timeout")
    ended = await run(RetriesTimeouts, kind="hang")
    assert (ended.status, ended.attempts) == (Status.SUCCEEDED, 2)


async def test_an_input_that_does_not_fit_or_a_model_that_is_unknown_is_not_tried_again(
    queue: PredictionQueue, run: Any
) -> None:
    """Neither can pass by itself."""
    assert (await run(Fails, times="many")).attempts == 1
    unknown = await queue.submit("nobody", {})
    assert (await queue.wait_for(unknown.prediction_id, 10)).attempts == 1


async def test_the_pauses_keep_within_the_policy(run: Any) -> None:
    """Each is at most what the policy allows after that attempt, and a moment."""
    ended = await run(BacksOff, times=4)
    assert (ended.status, ended.attempts) == (Status.SUCCEEDED, 5)
    began_s = Fails.began_s["BacksOff"]
    pauses_s = [later - earlier for earlier, later in pairwise(began_s)]
    for pause_s, longest_s in zip(pauses_s, [0.1, 0.2, 0.3, 0.3], strict=True):
        assert pause_s < longest_s + 0.15, pauses_s


def test_pauses_grow_with_each_attempt_up_to_their_limit_and_are_never_the_same() -> None:
    """Full jitter: anything from nothing to the longest, which doubles."""
    policy = RetryPolicy(backoff_s=1, max_backoff_s=6)
    for attempt, longest_s in enumerate([1, 2, 4, 6, 6], start=1):
        pauses_s = [policy.delay_s(attempt) for _ in range(500)]
        assert 0 <= min(pauses_s) < longest_s * 0.1
        assert longest_s * 0.9 < max(pauses_s) <= longest_s
        assert len(set(pauses_s)) > 450


def test_a_policy_that_has_been_tried_very_often_still_knows_its_pause() -> None:
    """Two to the two-thousandth is no number of seconds."""
    assert RetryPolicy(max_attempts=10_000).delay_s(2_000) <= 60
