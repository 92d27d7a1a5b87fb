"""Batches: who is in one, when it starts, and how each member ends."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from tests.models.virtual_time import run
from zypher_jobs.errors import ModelError, ModelNotReady, PredictionCanceled, PredictionTimeout
from zypher_jobs.models.batch_counts import BatchCounts
from zypher_jobs.models.batcher import Batcher
from zypher_jobs.models.call import Call

RUN_MS = 10


class Machine:
    """A model that takes 10 ms for a batch, or until it is let go, and refuses what is called bad."""

    def __init__(
        self, *, max_batch_size: int | None = 4, concurrency: int = 1, max_wait_ms: float | None = None
    ) -> None:
        self.batches: list[list[Any]] = []
        self.fail: Callable[[Sequence[Call]], Exception | None] = lambda calls: (
            ModelError("bad") if any(str(call.input).startswith("bad") for call in calls) else None
        )
        self.hold: Callable[[], Awaitable[Any]] = lambda: asyncio.sleep(RUN_MS / 1000)
        self.batcher = Batcher(
            self._run, name="machine", max_batch_size=max_batch_size, concurrency=concurrency, max_wait_ms=max_wait_ms
        )

    async def _run(self, calls: Sequence[Call]) -> Sequence[Any]:
        self.batches.append([call.input for call in calls])
        await self.hold()
        if error := self.fail(calls):
            raise error
        return [f"{call.input}!" for call in calls]

    def start(self, *inputs: Any, timeout_s: float = 1) -> list[asyncio.Task[Any]]:
        """A caller for each."""
        return [asyncio.ensure_future(self.batcher.run(Call(each, timeout_s=timeout_s))) for each in inputs]

    async def ends(self, *inputs: Any, timeout_s: float = 1) -> list[Any]:
        """The output or the error of each."""
        return await asyncio.gather(*self.start(*inputs, timeout_s=timeout_s), return_exceptions=True)


def now_ms() -> float:
    return round(asyncio.get_running_loop().time() * 1000, 3)


async def pass_ms(milliseconds: float) -> None:
    await asyncio.sleep(milliseconds / 1000)


def test_an_idle_model_starts_at_once() -> None:
    """Even where a batch may wait to be filled: that is for a model that has something to do."""

    async def main() -> None:
        machine = Machine(max_wait_ms=50)
        assert await machine.ends("a") == ["a!"]
        assert now_ms() == RUN_MS

    run(main())


def test_who_comes_together_runs_together() -> None:
    """And what comes while that runs is the next batch, in the order of coming, no larger than allowed."""

    async def main() -> None:
        machine = Machine(max_batch_size=4)
        first = machine.start(*"abc")
        await pass_ms(5)
        ends = await machine.ends(*"defghi")
        assert [await each for each in first] == ["a!", "b!", "c!"]
        assert ends == ["d!", "e!", "f!", "g!", "h!", "i!"]
        assert machine.batches == [["a", "b", "c"], ["d", "e", "f", "g"], ["h", "i"]]
        assert now_ms() == 3 * RUN_MS

    run(main())


def test_as_many_batches_at_once_as_the_model_takes() -> None:
    """Three places: twelve callers in batches of two need two rounds."""

    async def main() -> None:
        machine = Machine(max_batch_size=2, concurrency=3)
        assert await machine.ends(*range(12)) == [f"{each}!" for each in range(12)]
        assert now_ms() == 2 * RUN_MS

    run(main())


def test_a_free_place_waits_for_a_fuller_batch_while_another_runs() -> None:
    """For ``max_wait_ms`` from the coming of the first, and no longer than until it is full."""

    async def main() -> None:
        machine = Machine(max_batch_size=3, concurrency=2, max_wait_ms=4)
        starts_ms: list[float] = []

        async def hold() -> None:
            starts_ms.append(now_ms())
            await pass_ms(30)

        machine.hold = hold
        running = machine.start("a")
        await pass_ms(1)
        running += machine.start("b")
        await pass_ms(2)
        running += machine.start("c")
        await pass_ms(2)
        assert machine.batches == [["a"], ["b", "c"]]
        assert starts_ms == [0, 5]
        await asyncio.gather(*running)

    run(main())


def test_a_full_batch_waits_for_nobody() -> None:
    """Though one runs and the time to wait is long."""

    async def main() -> None:
        machine = Machine(max_batch_size=2, concurrency=2, max_wait_ms=1000)
        first = machine.start("a")
        await pass_ms(1)
        second = machine.start("b")
        await pass_ms(1)
        third = machine.start("c")
        await pass_ms(1)
        assert machine.batches == [["a"], ["b", "c"]]
        await asyncio.gather(*first, *second, *third)

    run(main())


def test_waiting_ends_when_the_model_is_idle() -> None:
    """The batch that was waited beside has ended: now nothing is gained by waiting."""

    async def main() -> None:
        machine = Machine(max_batch_size=4, concurrency=2, max_wait_ms=1000)
        first = machine.start("a")
        await pass_ms(1)
        assert await machine.ends("b") == ["b!"]
        assert now_ms() == 2 * RUN_MS
        await asyncio.gather(*first)

    run(main())


def test_who_is_canceled_drops_out() -> None:
    """While it waits: its place in the batch is another's, and its input is not kept."""

    async def main() -> None:
        machine = Machine(max_batch_size=2)
        first = machine.start("a")
        await pass_ms(1)
        waiting = machine.start(*"bcd")
        await pass_ms(1)
        assert machine.batcher.waiting == 3
        waiting[0].cancel()
        await pass_ms(0)
        assert machine.batcher.waiting == 2
        assert [await each for each in (*first, *waiting[1:])] == ["a!", "c!", "d!"]
        assert machine.batches == [["a"], ["c", "d"]]

    run(main())


def test_who_is_canceled_while_it_runs_leaves_its_neighbors_alone() -> None:
    """They get their outputs; the model can see that the one is not wanted any more."""

    async def main() -> None:
        machine = Machine()
        tasks = machine.start("a", "b")
        await pass_ms(1)
        tasks[0].cancel()
        assert await tasks[1] == "b!"
        assert tasks[0].cancelled()

    run(main())


def test_a_call_that_somebody_else_canceled_ends() -> None:
    """It never runs, and whoever waits for it is told."""

    async def main() -> None:
        machine = Machine()
        call = Call("a", timeout_s=1)
        call.cancel()
        with pytest.raises(PredictionCanceled):
            await machine.batcher.run(call)
        assert machine.batches == []

    run(main())


def test_a_deadline_ends_its_own_call_only() -> None:
    """On the deadline, running or waiting; who waits never runs, and leaves no trace."""

    async def main() -> None:
        machine = Machine()
        running = machine.start("a", timeout_s=0.004) + machine.start("b")
        await pass_ms(1)
        waiting = machine.start("c", timeout_s=0.005) + machine.start("d")
        await pass_ms(6)
        assert isinstance(await _error(running[0]), PredictionTimeout)
        assert isinstance(await _error(waiting[0]), PredictionTimeout)
        assert machine.batcher.waiting == 1
        assert [await running[1], await waiting[1]] == ["b!", "d!"]
        assert machine.batches == [["a", "b"], ["d"]]

    run(main())


def test_a_model_that_hangs_keeps_no_input() -> None:
    """Who comes after it has taken the only place ends at the deadline, and nothing piles up."""

    async def main() -> None:
        machine = Machine()
        machine.hold = asyncio.Event().wait
        ends = await machine.ends(*range(100), timeout_s=0.1)
        ends += await machine.ends(*range(100), timeout_s=0.1)
        assert {type(end) for end in ends} == {PredictionTimeout}
        assert (machine.batcher.waiting, machine.batcher.running) == (0, 1)

    run(main())


def test_one_bad_member_fails_alone() -> None:
    """The halves are run again until it is alone."""

    async def main() -> None:
        machine = Machine(max_batch_size=8)
        ends = await machine.ends("a", "b", "bad", "d", "e", "f", "g", "h")
        assert isinstance(ends.pop(2), ModelError)
        assert ends == ["a!", "b!", "d!", "e!", "f!", "g!", "h!"]
        assert [len(batch) for batch in machine.batches] == [8, 4, 2, 2, 1, 1, 4]

    run(main())


def test_each_bad_member_gets_an_error_of_its_own() -> None:
    """Not one that its neighbor has been told too."""

    async def main() -> None:
        machine = Machine(max_batch_size=8)
        ends = await machine.ends("bad 1", "good", "bad 2")
        assert [type(end) for end in ends] == [ModelError, str, ModelError]
        assert ends[0] is not ends[2]

    run(main())


def test_who_is_past_the_deadline_is_not_run_again() -> None:
    """The failed batch took too long for one; the other one's second run is without it."""

    async def main() -> None:
        machine = Machine()
        tasks = [*machine.start("late", timeout_s=0.005), *machine.start("bad", "c")]
        assert isinstance(await _error(tasks[0]), PredictionTimeout)
        assert isinstance(await _error(tasks[1]), ModelError)
        assert await tasks[2] == "c!"
        assert machine.batches == [["late", "bad", "c"], ["bad", "c"], ["bad"], ["c"]]

    run(main())


def test_what_is_no_models_failure_is_everybodys() -> None:
    """A model that went away would be away for the halves too."""

    async def main() -> None:
        machine = Machine()
        machine.fail = lambda _: ModelNotReady("gone")
        assert {type(end) for end in await machine.ends("a", "b")} == {ModelNotReady}
        assert len(machine.batches) == 1

    run(main())


def test_too_few_outputs_are_nobodys() -> None:
    """Whose they are cannot be told: each input is run alone."""

    async def main() -> None:
        async def shortened(calls: Sequence[Call]) -> Sequence[Any]:
            return [call.input for call in calls][:1]

        batcher = Batcher(shortened, name="short", max_batch_size=4, concurrency=1)
        ends = await asyncio.gather(*(batcher.run(Call(each, timeout_s=1)) for each in "abc"))
        assert ends == ["a", "b", "c"]

    run(main())


def test_the_next_batch_begins_before_the_last_one_is_told() -> None:
    """Whoever writes the answers of one keeps the model waiting for nothing."""

    async def main() -> None:
        machine = Machine(max_batch_size=2)
        begun: list[int] = []

        async def caller(input: str) -> None:
            await machine.batcher.run(Call(input, timeout_s=1))
            begun.append(len(machine.batches))

        await asyncio.gather(*map(caller, "abcd"))
        assert begun == [2, 2, 2, 2]

    run(main())


def test_counts_say_how_large_batches_are() -> None:
    """Buckets of 1, 2, 4, ...; what was run again counts again."""

    async def main() -> None:
        machine = Machine(max_batch_size=8)
        await machine.ends(*range(3))
        await machine.ends("a")
        counts = machine.batcher.counts
        assert (counts.batches, counts.predictions, counts.mean_size) == (2, 4, 2)
        assert counts.by_size[:4] == [1, 0, 1, 0]

    run(main())


def test_an_ending_loop_leaves_nobody_waiting() -> None:
    """A batch that is canceled cancels its members, and starts no other one."""
    machine = Machine(max_batch_size=1)
    machine.hold = lambda: asyncio.Event().wait()
    ends: list[str] = []

    async def caller(input: str) -> None:
        try:
            await machine.batcher.run(Call(input, timeout_s=60))
        except asyncio.CancelledError:
            ends.append(input)
            raise

    tasks: list[asyncio.Task[None]] = []

    async def main() -> None:
        tasks.extend(asyncio.ensure_future(caller(each)) for each in "abc")
        await pass_ms(1)

    run(main())
    assert sorted(ends) == ["a", "b", "c"]
    assert (machine.batcher.waiting, machine.batcher.running) == (0, 0)


async def _error(task: asyncio.Task[Any]) -> BaseException | None:
    await asyncio.wait([task])
    return task.exception()


def test_waits_are_counted_in_whole_milliseconds() -> None:
    """Each in the first bucket whose bound it does not exceed; what is longer than all in the last."""
    counts = BatchCounts()
    for waited_ms in (0, 1, 2, 3, 4, 5, 65_536, 65_537, 10_000_000):
        counts.waited(waited_ms / 1000)
    assert counts.waited_ms == 15 + 65_536 + 65_537 + 10_000_000
    assert counts.by_wait == [2, 1, 2, 1, *([0] * 12), 1, 2]
