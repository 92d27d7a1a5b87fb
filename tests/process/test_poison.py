"""A prediction that ends the process of every worker that runs it."""

import contextlib
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import httpx
import pytest

from tests.process.deadly import RUNS_FILE
from tests.process.stack import Up
from zypher_jobs.contracts.prediction import Prediction, Status
from zypher_jobs.queue import PredictionQueue
from zypher_jobs.queue.embedded import socket_path
from zypher_jobs.settings import Settings

ROOT = Path(__file__).parents[2]
LATER = {"Async-Mode": "true"}


def with_deadly(make_up: Callable[..., Up], **settings: object) -> Up:
    """A stack that serves the deadly model, not started yet."""
    up = make_up(models="tests.process.deadly:Deadly", **settings)
    up.environ |= {"PYTHONPATH": str(ROOT), RUNS_FILE: str(up.directory / "runs")}
    return up


def runs(up: Up) -> dict[str, list[int]]:
    """For each key the processes that began it."""
    found: dict[str, list[int]] = defaultdict(list)
    for line in (up.directory / "runs").read_text(encoding="ascii").splitlines():
        key, pid = line.split()
        found[key].append(int(pid))
    return found


@contextlib.asynccontextmanager
async def queue_of(up: Up) -> AsyncGenerator[PredictionQueue]:
    """A client of its queue."""
    queue = PredictionQueue.from_settings(Settings(redis_url=f"unix://{socket_path(up.data_dir)}"))
    try:
        yield queue
    finally:
        await queue.aclose()


async def ended(queue: PredictionQueue, prediction: Prediction) -> Prediction:
    """To its end; workers are started again with pauses that grow."""
    return await queue.wait_for(prediction.prediction_id, 40)


async def test_a_prediction_that_kills_its_worker_twice_is_buried(make_up: Callable[..., Up]) -> None:
    """A dead letter of code ``poison``, after two processes died; it is not tried a third time, and HTTP says why."""
    up = with_deadly(make_up, workers=1)
    await up.start_and_wait()
    async with queue_of(up) as queue, httpx.AsyncClient(base_url=up.url) as client:
        answer = await client.post("/models/deadly/predict", json={"key": "poison", "kills": True}, headers=LATER)
        assert answer.status_code == 202, answer.text
        prediction_id = answer.json()["prediction_id"]
        buried = await queue.wait_for(prediction_id, 40)
        assert buried.status is Status.FAILED
        assert buried.error is not None
        assert buried.error.code == "poison"
        assert "2 times" in buried.error.message
        (letter,) = await queue.inspect.dead_letters()
        assert (letter.prediction_id, letter.error.code) == (prediction_id, "poison")
        good = await client.post("/models/deadly/predict", json={"key": "after"}, headers=LATER)
        after = await queue.wait_for(good.json()["prediction_id"], 40)
        assert (after.status, after.attempts) == (Status.SUCCEEDED, 1)
        read = (await client.get(f"/predict/{prediction_id}")).json()
        assert (read["status"], read["error"]["code"]) == ("failed", "poison")
    began = runs(up)
    assert len(began["poison"]) == len(set(began["poison"])) == 2
    assert len(began["after"]) == 1


async def test_what_waits_beside_poison_is_run(make_up: Callable[..., Up]) -> None:
    """Two workers, one place each: every other prediction succeeds, however many poisonous ones stand among them."""
    up = with_deadly(make_up, workers=2, concurrency=1)
    await up.start_and_wait()
    async with queue_of(up) as queue:
        doses = [{"key": str(number), "kills": number % 10 == 3} for number in range(20)]
        submitted = await queue.submit_many("deadly", doses)
        for number, prediction in enumerate(submitted):
            outcome = await ended(queue, prediction)
            expected = Status.FAILED if number % 10 == 3 else Status.SUCCEEDED
            assert outcome.status is expected, (number, outcome.error)
        letters = await queue.inspect.dead_letters()
        assert {letter.prediction_id for letter in letters} == {submitted[3].prediction_id, submitted[13].prediction_id}
        assert {letter.error.code for letter in letters} == {"poison"}
    assert max(map(len, runs(up).values())) <= 3


@pytest.mark.parametrize("workers", [1, 2])
async def test_what_runs_beside_poison_in_the_same_process_is_not_buried_with_it(
    make_up: Callable[..., Up], workers: int
) -> None:
    """Thirty die with it, twice if they meet it again; none of them killed anything, and each succeeds in the end.

    Where others died with it both times, a third run beside no other suspect shows which of them it was.
    """
    up = with_deadly(make_up, workers=workers, concurrency=50)
    await up.start_and_wait()
    async with queue_of(up) as queue:
        neighbours = await queue.submit_many("deadly", [{"key": f"n{number}", "ms": 400} for number in range(30)])
        poison = await queue.submit("deadly", {"key": "poison", "kills": True})
        buried = await ended(queue, poison)
        assert buried.error is not None
        assert (buried.status, buried.error.code) == (Status.FAILED, "poison")
        outcomes = [await ended(queue, prediction) for prediction in neighbours]
        failed = [outcome.error.code for outcome in outcomes if outcome.error is not None]
        assert failed == []
        assert {outcome.status for outcome in outcomes} == {Status.SUCCEEDED}
        assert [letter.prediction_id for letter in await queue.inspect.dead_letters()] == [poison.prediction_id]
    assert len(runs(up)["poison"]) <= 3
