"""The recorder: bounded, in order, and patient while Redis is away."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from zypher_api import recorder as module
from zypher_api.recorder import Answered, Recorder
from zypher_jobs.contracts.prediction import PredictionFailure, Status, SyncOutcome
from zypher_jobs.errors import RedisUnavailable
from zypher_jobs.testing import wait_until


class Sink:
    """Takes what is recorded, while it is up."""

    def __init__(self) -> None:
        self.up = True
        self.broken = False
        self.taken: list[SyncOutcome] = []
        self.calls = self.refused = 0

    async def record(self, outcomes: Sequence[SyncOutcome]) -> None:
        """What ``PredictionQueue.record_sync`` is."""
        self.calls += 1
        await asyncio.sleep(0)
        if not self.up:
            raise RedisUnavailable("Redis does not answer.")
        if self.broken:
            self.refused += 1
            raise ValueError("a batch that cannot be written")
        self.taken += outcomes


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting for company."""
    monkeypatch.setattr(module, "GATHER_S", 0.001)
    monkeypatch.setattr(module, "MAX_RETRY_S", 0.01)


def answered(number: int, *, body: bytes = b'{"input":"hello"}', error: PredictionFailure | None = None) -> Answered:
    """The ``number``-th prediction."""
    return Answered(
        prediction_id=f"id-{number}",
        model="mock",
        version="1",
        input={},
        body=body,
        answer=b'{"result":"x"}',
        error=error,
        created_at_ms=number,
        run_ms=0.5,
    )


def ids(outcomes: Sequence[SyncOutcome]) -> list[str]:
    """Ids in the order of recording."""
    return [outcome.prediction_id for outcome in outcomes]


def make(sink: Sink, policy: Any = "all") -> Recorder:
    """A recorder into the sink."""
    return Recorder(sink.record, policy=policy, process_id="api-1")


async def test_predictions_are_recorded_in_batches() -> None:
    """Few calls for all that came meanwhile, and none that holds Redis and the event loop for long."""
    sink = Sink()
    recorder = make(sink)
    recorder.start()
    for number in range(100):
        recorder.add(answered(number))

    await wait_until(lambda: len(sink.taken) == 100)

    assert ids(sink.taken) == [f"id-{number}" for number in range(100)]
    assert 4 <= sink.calls <= 10
    first = sink.taken[0]
    assert (first.status, first.worker, first.keep_record) == (Status.SUCCEEDED, "api-1", True)
    assert (first.input_preview, first.output_preview) == ('{"input":"hello"}', '{"result":"x"}')
    await recorder.close()


async def test_an_outage_loses_nothing_that_there_is_room_for() -> None:
    """They are written once, in order, when Redis is back."""
    sink = Sink()
    sink.up = False
    recorder = make(sink)
    recorder.start()
    for number in range(10):
        recorder.add(answered(number))
    await wait_until(lambda: sink.calls >= 3)
    assert sink.taken == []

    sink.up = True

    await wait_until(lambda: len(sink.taken) == 10)
    assert ids(sink.taken) == [f"id-{number}" for number in range(10)]
    assert recorder.dropped == 0
    await recorder.close()


@pytest.mark.parametrize(("limit", "value"), [("MAX_PENDING", 5), ("MAX_PENDING_BYTES", 5 * 31)])
async def test_the_oldest_give_way_when_there_is_no_room(
    monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    """By number or by bytes; they are counted."""
    monkeypatch.setattr(module, limit, value)
    sink = Sink()
    recorder = make(sink)
    for number in range(12):
        recorder.add(answered(number))

    await recorder.close()

    assert ids(sink.taken) == [f"id-{number}" for number in range(7, 12)]
    assert recorder.dropped == 7


async def test_closing_writes_what_is_left() -> None:
    """Before it was ever started, too."""
    sink = Sink()
    recorder = make(sink)
    recorder.start()
    recorder.add(answered(1))

    await recorder.close()

    assert ids(sink.taken) == ["id-1"]


async def test_closing_does_not_wait_for_a_redis_that_is_away() -> None:
    """It says how many are lost."""
    sink = Sink()
    sink.up = False
    recorder = make(sink)
    recorder.start()
    recorder.add(answered(1))

    await asyncio.wait_for(recorder.close(), timeout=1)

    assert sink.taken == []


async def test_a_batch_that_cannot_be_written_does_not_hold_up_the_next() -> None:
    """It is logged and left out."""
    sink = Sink()
    sink.broken = True
    recorder = make(sink)
    recorder.start()
    recorder.add(answered(1))
    await wait_until(lambda: sink.refused == 1)
    sink.broken = False

    recorder.add(answered(2))

    await wait_until(lambda: ids(sink.taken) == ["id-2"])
    await recorder.close()


@pytest.mark.parametrize(
    ("policy", "kept"), [("all", [True, True]), ("errors", [False, True]), ("none", [False, False])]
)
async def test_the_policy_chooses_records_and_all_are_counted(policy: Any, kept: list[bool]) -> None:
    """``keep_record`` false: counted only."""
    sink = Sink()
    recorder = make(sink, policy)
    recorder.add(answered(1))
    recorder.add(answered(2, error=PredictionFailure(code="model_error", message="ValueError: x")))

    await recorder.close()

    assert [outcome.keep_record for outcome in sink.taken] == kept
    assert [outcome.status for outcome in sink.taken] == [Status.SUCCEEDED, Status.FAILED]


async def test_previews_are_cut_in_whole_characters() -> None:
    """200 of them, whatever they weigh."""
    sink = Sink()
    recorder = make(sink)
    recorder.add(answered(1, body="🦊é".encode() * 500))

    await recorder.close()

    assert sink.taken[0].input_preview == "🦊é" * 100
