"""Submitting, and what can be read of a prediction before anything runs it."""

import pytest

from zypher_jobs.contracts.prediction import Mode, Status, SyncOutcome
from zypher_jobs.errors import InvalidInput, RedisUnavailable, SettingError, UnknownPrediction
from zypher_jobs.queue import PredictionQueue, keys
from zypher_jobs.queue.embedded import EmbeddedServer
from zypher_jobs.queue.ids import is_prediction_id, new_prediction_id
from zypher_jobs.settings import Settings


async def test_a_submitted_prediction_is_queued_behind_those_before_it(queue: PredictionQueue) -> None:
    """The position counts the predictions ahead: 0 is next."""
    first = await queue.submit("mock", {"input": "a"})
    second = await queue.submit("mock", {"input": "b"})
    assert (first.queue_position, second.queue_position) == (0, 1)
    read = await queue.prediction(second.prediction_id)
    assert (read.status, read.queue_position, read.attempts, read.mode) == (Status.QUEUED, 1, 0, Mode.ASYNC)
    assert read.created_at == second.created_at


async def test_the_same_id_is_queued_once(queue: PredictionQueue) -> None:
    """redis-py sends a command again when its connection broke; the script then changes nothing."""

    first = await queue.submit("mock", {"input": "a"}, prediction_id="same")
    again = await queue.submit("mock", {"input": "b"}, prediction_id="same")
    assert again == first
    assert await queue.zcard(keys.ARQ_QUEUE) == 1


async def test_an_unknown_id_says_so(queue: PredictionQueue) -> None:
    """Neither a record nor a result."""
    with pytest.raises(UnknownPrediction, match="No prediction has the id 'nobody'"):
        await queue.prediction("nobody")


async def test_an_input_that_messagepack_cannot_hold_is_refused(queue: PredictionQueue) -> None:
    """Nothing is queued."""
    with pytest.raises(InvalidInput, match="cannot be queued"):
        await queue.submit("mock", {"input": 2**70})
    assert await queue.zcard(keys.ARQ_QUEUE) == 0


def test_a_queue_without_a_url_says_what_to_do() -> None:
    """``zypher api`` by itself, with nothing started."""
    with pytest.raises(SettingError, match="zypher up"):
        PredictionQueue.from_settings(Settings())


async def test_redis_away_is_redis_unavailable(valkey: EmbeddedServer, valkey_settings: Settings) -> None:
    """Never a redis-py error, and no address in the sentence."""
    queue = PredictionQueue.from_settings(valkey_settings)
    await queue.submit("mock", {"input": "a"})
    valkey.kill()
    for call in (queue.submit("mock", {}), queue.prediction("x"), queue.inspect.overview(), queue.wait_for("x", 1)):
        with pytest.raises(RedisUnavailable) as caught:
            await call
        assert str(valkey.socket_path) not in caught.value.message
    valkey.start()
    assert (await queue.inspect.overview()).queue.depth == 1
    await queue.aclose()


async def test_synchronous_predictions_are_read_like_queued_ones(queue: PredictionQueue) -> None:
    """By id, in the list and in the counts; one that is only counted has no record."""
    outcome = SyncOutcome(
        prediction_id=new_prediction_id(),
        model="mock",
        status=Status.SUCCEEDED,
        input={"input": "a"},
        output={"result": "b"},
        input_preview='{"input":"a"}',
        output_preview='{"result":"b"}',
        created_at_ms=1_000,
        started_at_ms=1_000,
        run_ms=2.5,
        worker="api-1",
    )
    counted = SyncOutcome(
        prediction_id=new_prediction_id(),
        model="mock",
        status=Status.FAILED,
        input=None,
        created_at_ms=1_000,
        started_at_ms=1_000,
        run_ms=1.0,
        worker="api-1",
        keep_record=False,
    )
    await queue.record_sync([outcome, counted])
    read = await queue.prediction(outcome.prediction_id)
    assert (read.status, read.mode, read.output, read.run_ms) == (Status.SUCCEEDED, Mode.SYNC, {"result": "b"}, 2.5)
    overview = await queue.inspect.overview()
    assert [p.prediction_id for p in overview.latest] == [outcome.prediction_id]
    assert {(c.mode, c.status): c.count for c in overview.counts} == {
        (Mode.SYNC, Status.SUCCEEDED): 1,
        (Mode.SYNC, Status.FAILED): 1,
    }
    with pytest.raises(UnknownPrediction):
        await queue.prediction(counted.prediction_id)


async def test_synchronous_records_are_bounded_in_number(
    queue: PredictionQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest go first: a fast model would otherwise fill Redis within the retention."""
    monkeypatch.setattr(keys, "SYNC_RECORDS_KEPT", 3)
    outcomes = [
        SyncOutcome(
            prediction_id=f"sync-{number}",
            model="mock",
            status=Status.SUCCEEDED,
            input=number,
            output=number,
            created_at_ms=number,
            started_at_ms=number,
            run_ms=1,
            worker="api",
        )
        for number in range(5)
    ]
    await queue.record_sync(outcomes)
    assert [p.prediction_id for p in (await queue.inspect.overview()).latest] == ["sync-4", "sync-3", "sync-2"]
    assert await queue.exists(keys.record("sync-0")) == 0


def test_ids() -> None:
    """What may stand in a path as an id."""
    assert is_prediction_id(new_prediction_id())
    assert not any(is_prediction_id(text) for text in ("", "a b", "a/b", "x" * 65, "é", "a\n"))
