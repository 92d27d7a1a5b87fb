"""Whatever comes, is canceled, is late or fails: each call has one end, its own, and no place stays empty."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models.virtual_time import run
from zypher_jobs.errors import ModelError, PredictionTimeout
from zypher_jobs.models.batcher import TICK_S, Batcher
from zypher_jobs.models.call import Call

RUNS_MS = st.sampled_from([0, 1, 5, 20])
"""Times meet often: what happens in the same instant is what goes wrong."""


class Caller(msgspec.Struct, frozen=True):
    """One call, in ms from the start, and from its coming."""

    comes_ms: int
    timeout_ms: int
    gives_up_ms: int | None
    is_bad: bool


class Plan(msgspec.Struct, frozen=True):
    """A model and its callers."""

    callers: tuple[Caller, ...]
    runs_ms: tuple[int, ...]
    """Of one batch after the other, over and over."""
    max_batch_size: int
    concurrency: int
    max_wait_ms: int | None


CALLERS = st.builds(
    Caller,
    comes_ms=st.sampled_from([0, 0, 1, 4, 5, 6, 20, 21]),
    timeout_ms=st.sampled_from([1, 5, 20, 60_000, 60_000, 60_000]),
    gives_up_ms=st.none() | st.none() | st.sampled_from([0, 1, 5, 20]),
    is_bad=st.sampled_from([False, False, False, True]),
)
PLANS = st.builds(
    Plan,
    callers=st.lists(CALLERS, min_size=1, max_size=30).map(tuple),
    runs_ms=st.lists(RUNS_MS, min_size=1, max_size=4).map(tuple),
    max_batch_size=st.integers(1, 9),
    concurrency=st.integers(1, 3),
    max_wait_ms=st.none() | st.sampled_from([1, 5, 50]),
)


class Model:
    """Runs a plan's batches, and sees to it that each may be run."""

    def __init__(self, plan: Plan) -> None:
        self.runs = 0
        self.running = 0
        self._plan = plan
        self.batcher = Batcher(
            self._run,
            name="model",
            max_batch_size=plan.max_batch_size,
            concurrency=plan.concurrency,
            max_wait_ms=plan.max_wait_ms,
        )

    async def _run(self, calls: Sequence[Call]) -> Sequence[Any]:
        assert 1 <= len(calls) <= self._plan.max_batch_size
        assert not any(call.canceled for call in calls), "nobody wants this one"
        self.running += 1
        assert self.running <= self._plan.concurrency
        self.runs += 1
        try:
            await asyncio.sleep(self._plan.runs_ms[self.runs % len(self._plan.runs_ms)] / 1000)
        finally:
            self.running -= 1
        inputs: list[int] = [call.input for call in calls]
        if any(self._plan.callers[number].is_bad for number in inputs):
            raise ModelError("bad")
        return inputs

    def is_as_busy_as_it_can_be(self) -> bool:
        """Nobody waits while there is a place, but for a fuller batch beside one that runs."""
        if not self.batcher.waiting or self.running == self._plan.concurrency:
            return True
        return bool(self._plan.max_wait_ms and self.running and self.batcher.waiting < self._plan.max_batch_size)


@settings(deadline=None, max_examples=300)
@given(PLANS)
def test_each_call_has_one_end_and_no_place_stays_empty(plan: Plan) -> None:
    """Against every plan: ends, sizes, places, waiting times."""
    model = Model(plan)
    idle: list[bool] = []

    async def call(number: int, caller: Caller) -> Any:
        await asyncio.sleep(caller.comes_ms / 1000)
        loop = asyncio.get_running_loop()
        came_s = loop.time()
        running = asyncio.ensure_future(model.batcher.run(Call(number, timeout_s=caller.timeout_ms / 1000)))
        if caller.gives_up_ms is not None:
            loop.call_later(caller.gives_up_ms / 1000, running.cancel)
        await asyncio.wait([running])
        assert loop.time() - came_s <= caller.timeout_ms / 1000 + TICK_S, "nobody waits past the deadline"
        if running.cancelled():
            return "canceled"
        return running.exception() or running.result()

    async def main() -> list[Any]:
        ends = await asyncio.gather(*(call(*each) for each in enumerate(plan.callers)))
        await asyncio.sleep(10)  # what nobody waits for any more ends too
        return ends

    ends = run(main(), on_idle=lambda: idle.append(model.is_as_busy_as_it_can_be()))
    assert all(idle)
    for number, (caller, end) in enumerate(zip(plan.callers, ends, strict=True)):
        if end == "canceled":
            assert caller.gives_up_ms is not None
        elif isinstance(end, PredictionTimeout):
            assert caller.timeout_ms < 60_000
        elif isinstance(end, ModelError):
            assert caller.is_bad
        else:
            assert end == number
            assert not caller.is_bad
    assert model.batcher.waiting == model.batcher.running == model.running == 0
