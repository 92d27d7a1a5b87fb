"""Dead letters: kept with all that is needed to understand them, listed, grouped, replayed, dropped."""

import asyncio
from typing import ClassVar

import msgspec
import pytest

from tests.queue.conftest import StartWorker
from zypher_jobs.contracts.prediction import Prediction, Priority, Status
from zypher_jobs.errors import Conflict, UnknownPrediction
from zypher_jobs.models import Model, ModelRegistry
from zypher_jobs.models.retries import RetryPolicy
from zypher_jobs.queue import PredictionQueue
from zypher_jobs.worker import PredictionWorker


class Row(msgspec.Struct):
    """A row, and how reading it goes wrong."""

    row: int
    kind: str = "value"


class Broken(Model[Row, Row]):
    """Fails until it is repaired."""

    version = "7"
    repaired: ClassVar[bool] = False
    retries = RetryPolicy(max_attempts=2, backoff_s=0.001)

    async def predict(self, input: Row) -> Row:
        """Raise as asked."""
        if Broken.repaired:
            return input
        if input.kind == "connection":
            raise ConnectionError(f"no connection for row {input.row}")
        raise ValueError(f"row {input.row} is broken")


@pytest.fixture
async def worker(
    registry: ModelRegistry, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> PredictionWorker:
    """A worker with the broken model, one at a time."""
    monkeypatch.setattr(Broken, "repaired", False)
    registry.add(Broken)
    await registry.load_all()
    return await start_worker(max_jobs=1)


async def fail(queue: PredictionQueue, row: int, kind: str = "value", **options: object) -> Prediction:
    """One that fails, to its end."""
    options = {"version": "7", "input_preview": f'{{"row":{row}}}', **options}
    submitted = await queue.submit("broken", {"row": row, "kind": kind}, **options)  # type: ignore[arg-type]
    ended = await queue.wait_for(submitted.prediction_id, 10)
    assert ended.status is Status.FAILED
    return ended


async def test_a_dead_letter_says_what_happened(queue: PredictionQueue, worker: PredictionWorker) -> None:
    """Error, traceback, attempts, worker, model and version, priority, input, times; callers see no traceback."""
    ended = await fail(queue, 3, "connection", priority=Priority.LOW)
    (letter,) = await queue.inspect.dead_letters()
    assert letter.prediction_id == ended.prediction_id
    assert (letter.model, letter.version, letter.priority) == ("broken", "7", Priority.LOW)
    assert letter.error == ended.error
    assert (letter.error.code, letter.error.message) == ("model_error", "ConnectionError: no connection for row 3")
    assert "Traceback" in letter.traceback
    assert "test_dead_letters.py" in letter.traceback
    assert 'raise ConnectionError(f"no connection for row {input.row}")' in letter.traceback
    assert (letter.attempts, letter.worker) == (2, worker.worker_id)
    assert letter.input_preview == '{"row":3}'
    assert (letter.created_at, letter.finished_at) == (ended.created_at, ended.finished_at)
    assert "Traceback" not in msgspec.json.encode(ended).decode()
    assert (await queue.inspect.overview()).dead_letters == 1


@pytest.mark.usefixtures("worker")
async def test_they_are_listed_newest_first(queue: PredictionQueue) -> None:
    """As many as are asked for."""
    ended = [await fail(queue, row) for row in range(5)]
    newest_first = [prediction.prediction_id for prediction in reversed(ended)]
    letters = await queue.inspect.dead_letters()
    assert [letter.finished_at for letter in letters] == sorted((p.finished_at for p in letters), reverse=True)
    if len({prediction.finished_at for prediction in ended}) == 5:
        assert [letter.prediction_id for letter in letters] == newest_first
    assert [p.prediction_id for p in await queue.inspect.dead_letters(limit=2)] == [
        p.prediction_id for p in letters[:2]
    ]


@pytest.mark.usefixtures("worker")
async def test_only_what_failed_is_one(queue: PredictionQueue) -> None:
    """Not what succeeded, was canceled or expired."""
    good = await queue.submit("mock", {"input": "a"})
    await queue.wait_for(good.prediction_id, 10)
    await queue.pause()
    canceled = await queue.submit("mock", {"input": "a"})
    await queue.cancel(canceled.prediction_id)
    expired = await queue.submit("mock", {"input": "a"}, expires_in_s=0.01)
    assert (await queue.wait_for(expired.prediction_id, 10)).status is Status.EXPIRED
    assert await queue.inspect.dead_letters() == []
    assert await queue.inspect.dead_letter_groups() == []


@pytest.mark.usefixtures("worker")
async def test_the_same_error_with_other_numbers_is_one_group(queue: PredictionQueue) -> None:
    """Largest first, with the newest as its example."""
    connections = [await fail(queue, row, "connection") for row in range(2)]
    values = [await fail(queue, row) for row in range(10, 13)]
    unknown = await queue.submit("nobody", {})
    await queue.wait_for(unknown.prediction_id, 10)
    groups = await queue.inspect.dead_letter_groups()
    assert [(group.model, group.count) for group in groups] == [("broken", 3), ("broken", 2), ("nobody", 1)]
    for group, of_group in zip(groups, (values, connections), strict=False):
        assert group.newest_id in {prediction.prediction_id for prediction in of_group}
        assert group.first_at == min(p.finished_at for p in of_group if p.finished_at)
        assert group.last_at == max(p.finished_at for p in of_group if p.finished_at)
    assert groups[0].error.message in {f"ValueError: row {row} is broken" for row in range(10, 13)}
    assert len({group.fingerprint for group in groups}) == 3


@pytest.mark.usefixtures("worker")
async def test_a_replay_is_a_new_prediction_and_the_dead_letter_is_none_any_longer(
    queue: PredictionQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the same input, model, version and priority; the old one stays known as failed."""
    failed = await fail(queue, 1, priority=Priority.HIGH)
    other = await fail(queue, 2)
    monkeypatch.setattr(Broken, "repaired", True)
    replayed = await queue.replay(failed.prediction_id)
    assert replayed.prediction_id != failed.prediction_id
    assert (replayed.replay_of, replayed.status) == (failed.prediction_id, Status.QUEUED)
    assert (replayed.model, replayed.version, replayed.priority) == ("broken", "", Priority.HIGH)
    ended = await queue.wait_for(replayed.prediction_id, 10)
    assert (ended.status, ended.attempts, ended.output["row"]) == (Status.SUCCEEDED, 1, 1)
    assert ended.replay_of == failed.prediction_id
    assert [letter.prediction_id for letter in await queue.inspect.dead_letters()] == [other.prediction_id]
    assert (await queue.prediction(failed.prediction_id)).status is Status.FAILED


@pytest.mark.usefixtures("worker")
async def test_a_replay_that_fails_is_a_dead_letter_of_its_own(queue: PredictionQueue) -> None:
    """One for the two: the new."""
    failed = await fail(queue, 1)
    replayed = await queue.replay(failed.prediction_id)
    assert (await queue.wait_for(replayed.prediction_id, 10)).status is Status.FAILED
    assert [letter.prediction_id for letter in await queue.inspect.dead_letters()] == [replayed.prediction_id]


@pytest.mark.usefixtures("worker")
async def test_a_dropped_one_is_forgotten(queue: PredictionQueue) -> None:
    """Its record and its place in the list too; what is no dead letter stays, and is not counted."""
    failed = [await fail(queue, row) for row in range(3)]
    good = await queue.submit("mock", {"input": "a"})
    await queue.wait_for(good.prediction_id, 10)
    dropped = [failed[0].prediction_id, failed[2].prediction_id, good.prediction_id, "nobody"]
    assert await queue.drop(dropped) == 2
    assert await queue.drop(dropped) == 0
    assert [letter.prediction_id for letter in await queue.inspect.dead_letters()] == [failed[1].prediction_id]
    with pytest.raises(UnknownPrediction):
        await queue.prediction(failed[0].prediction_id)
    with pytest.raises(UnknownPrediction):
        await queue.replay(failed[0].prediction_id)
    listed, _ = await queue.inspect.list_predictions(Status.FAILED)
    assert [summary.prediction_id for summary in listed] == [failed[1].prediction_id]
    assert (await queue.prediction(good.prediction_id)).status is Status.SUCCEEDED
    assert await queue.drop([]) == 0


@pytest.mark.usefixtures("worker")
async def test_two_who_replay_the_same_at_once_replay_it_once(queue: PredictionQueue) -> None:
    """With ``once``, by whomever it was replayed; without, each time. A replayed one is a dead letter no longer."""
    ended = [(await fail(queue, row)).prediction_id for row in range(5)]
    await queue.pause()
    told = await asyncio.gather(*(queue.bulk.replay(ended, once=True) for _ in range(3)))
    replayed = [each for answers in told for each in answers if isinstance(each, Prediction)]
    assert sorted(each.replay_of or "" for each in replayed) == sorted(ended)
    refused = [each for answers in told for each in answers if isinstance(each, Conflict)]
    assert {each.message for each in refused} == {f"Prediction {each!r} was replayed already." for each in ended}
    assert len(refused) == 10
    assert await queue.inspect.dead_letters() == []
    assert await queue.inspect.are_replayed([*ended, replayed[0].prediction_id]) == [True] * 5 + [False]
    (again,) = await queue.bulk.replay(ended[:1])
    assert isinstance(again, Prediction)


@pytest.mark.usefixtures("worker")
async def test_what_is_queued_anew_and_what_is_a_dead_letter_is_never_both(queue: PredictionQueue) -> None:
    """One script: a process that dies between the two would leave a dead letter that is replayed a second time."""
    ended = await fail(queue, 1)
    await queue.pause()
    await queue.submit("broken", {"row": 1}, replay_of=ended.prediction_id)
    assert await queue.inspect.are_dead([ended.prediction_id]) == [False]
    (refused,) = await queue.bulk.replay([ended.prediction_id], once=True)
    assert isinstance(refused, Conflict)
