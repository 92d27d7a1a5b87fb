"""Four models that do their worst in processes of their own, synchronous and queued, beside one that does its work."""

import asyncio
import os
import signal
import statistics
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.api.running import RunningApi
from tests.models.villains import STATE
from zypher_jobs.contracts.prediction import Prediction, Status
from zypher_jobs.models.runtimes import children
from zypher_jobs.settings import Settings
from zypher_jobs.testing import wait_until
from zypher_jobs.worker import PredictionWorker

LEASE_S = 1.0
VILLAINS = ("Villain", "Crasher", "LimitedVillain", "Gang", "Moody")


@pytest.fixture
def api_settings(settings: Settings) -> Settings:
    """The villains, a neighbor, a short lease; the timeout is long enough to start a killed process again."""
    models = (*(f"tests.models.villains:{name}" for name in VILLAINS), "tests.models.quiet:Quiet")
    return msgspec.structs.replace(settings, models=models, lease_s=LEASE_S, run_timeout_s=8)


async def now(api: RunningApi, model: str, **order: Any) -> tuple[int, str | None]:
    """Status and code of a synchronous prediction."""
    answer = await api.post(f"/models/{model}/predict", json=order)
    return answer.status_code, answer.json().get("code")


async def later(api: RunningApi, model: str, **order: Any) -> Prediction:
    """A queued prediction at its end."""
    queue = api.services.queue
    submitted = await queue.submit(model, order)
    return await queue.wait_for(submitted.prediction_id, 60)


async def canceled_later(api: RunningApi, model: str, **order: Any) -> Prediction:
    """A queued one that is canceled once its model says that it has begun."""
    queue = api.services.queue
    submitted = await queue.submit(model, order)

    async def runs() -> bool:
        return (await queue.prediction(submitted.prediction_id)).status is Status.RUNNING

    await wait_until(runs)
    await queue.cancel(submitted.prediction_id)
    return await queue.wait_for(submitted.prediction_id, 60)


async def p99_ms(api: RunningApi, until: "asyncio.Future[Any] | None" = None, *, least: int = 300) -> float:
    """Of the neighbor, called one time after the other."""
    took_ms: list[float] = []
    while len(took_ms) < least or (until is not None and not until.done()):
        started_s = time.perf_counter()
        assert await now(api, "quiet", text="a") == (200, None)
        took_ms.append((time.perf_counter() - started_s) * 1000)
    return statistics.quantiles(took_ms, n=100)[-1]


async def test_what_is_done_to_one_process_is_nothing_to_its_neighbors(
    api: RunningApi, worker: PredictionWorker
) -> None:
    """Spin, segfault, eat memory, ignore a cancel: each ends as it should; nobody else loses time, attempt or lease.

    The bound on the neighbor's p99 is wide: the machine may have other work. ``just bench isolation`` measures it.
    """
    quiet_ms = await p99_ms(api)
    began_s = time.monotonic()
    neighbors = asyncio.gather(*(later(api, "quiet", text=str(number)) for number in range(200)))
    at_once = asyncio.gather(
        now(api, "villain", do="spin"),
        now(api, "crasher", do="segfault"),
        now(api, "limited-villain", do="eat", count=100_000),
    )
    queued = asyncio.gather(
        later(api, "villain", do="spin"),
        later(api, "crasher", do="segfault"),
        later(api, "limited-villain", do="eat", count=100_000),
        canceled_later(api, "gang", do="spin in C"),
    )
    beside_ms = await p99_ms(api, until=asyncio.gather(at_once, queued))
    spun, crashed, ate, ignored = await queued
    assert await at_once == [(504, "timeout"), (500, "model_crashed"), (500, "out_of_memory")]
    assert [_end(each) for each in (spun, crashed, ate, ignored)] == [
        (Status.FAILED, "timeout", 1),
        (Status.FAILED, "model_crashed", 3),  # as its retry policy has it: each crash costs one attempt
        (Status.FAILED, "out_of_memory", 1),
        (Status.CANCELED, "canceled", 1),
    ]
    assert {past.worker for past in crashed.past_attempts} == {crashed.worker}
    assert {(each.status, each.attempts) for each in await neighbors} == {(Status.SUCCEEDED, 1)}
    assert time.monotonic() - began_s > LEASE_S
    assert worker.refused_finishes == 0
    assert beside_ms < 10 * quiet_ms + 50
    for model in ("villain", "crasher", "limited-villain", "gang"):
        assert await now(api, model) == (200, None)


async def test_a_queued_prediction_outlasts_a_model_that_is_down(
    api: RunningApi, worker: PredictionWorker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its model's process died and does not start: it is tried again, within its retry policy, until one does."""
    monkeypatch.setenv(STATE, str(tmp_path / "state"))
    monkeypatch.setattr(children, "FIRST_PAUSE_S", 0.1)
    served = api.services.registry.get("moody")
    pid: int = (await api.post("/models/moody/predict", json={})).json()["pid"]
    put(tmp_path / "state")
    os.kill(pid, signal.SIGKILL)
    await wait_until(lambda: not served.ready)
    assert await now(api, "moody") == (503, "model_not_ready")
    submitted = await api.services.queue.submit("moody", {"text": "later"})

    async def tried() -> bool:
        return (await api.services.queue.prediction(submitted.prediction_id)).attempts > 1

    await wait_until(tried)
    put(tmp_path / "state", there=False)
    outcome = await api.services.queue.wait_for(submitted.prediction_id, 30)
    assert outcome.status is Status.SUCCEEDED
    assert {past.error.code for past in outcome.past_attempts if past.error} == {"model_not_ready"}


def put(path: Path, *, there: bool = True) -> None:
    """Make a file, or take it away."""
    if there:
        path.touch()
    else:
        path.unlink()


def _end(prediction: Prediction) -> tuple[Status, str | None, int]:
    return prediction.status, None if prediction.error is None else prediction.error.code, prediction.attempts
