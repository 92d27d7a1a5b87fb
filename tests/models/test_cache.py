"""Outputs that are kept, and runs that are shared: never a stale or a wrong one, and nobody pays for another's end."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from datetime import datetime
from typing import Any
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models.virtual_time import run
from zypher_jobs.errors import ModelDefinitionError, ModelError, PredictionTimeout
from zypher_jobs.models import Model, ModelRegistry, cache, context
from zypher_jobs.models.cache import ENTRY_BYTES, ResultCache
from zypher_jobs.models.call import NOBODY, CacheUse, Call, Listener
from zypher_jobs.models.definition import define

RUN_MS = 10
LIFETIME_S = 60


class Machine:
    """A model that takes 10 ms, or until it is let go, and counts its runs."""

    def __init__(self, *, lifetime_s: float = LIFETIME_S, most_bytes: int = 1_000_000, input_type: Any = Any) -> None:
        self.runs: list[Any] = []
        self.canceled = 0
        self.hold: Callable[[], Awaitable[Any]] = lambda: asyncio.sleep(RUN_MS / 1000)
        self.output: Callable[[Call], Any] = lambda call: [call.input, len(self.runs)]
        self.cache = ResultCache(
            self._run, name="machine", input_type=input_type, lifetime_s=lifetime_s, most_bytes=most_bytes
        )

    async def _run(self, call: Call) -> Any:
        self.runs.append(call.input)
        try:
            async with asyncio.timeout(call.remaining_s):
                await self.hold()
        except asyncio.CancelledError:
            self.canceled += 1
            raise
        except TimeoutError:
            raise call.timed_out("machine") from None
        return self.output(call)

    async def use(self, input: Any) -> tuple[Any, CacheUse | None]:
        """The output, and where it came from."""
        call = Call(input, timeout_s=1000)
        return await self.cache.run(call), call.cache_use

    def start(self, input: Any, *, timeout_s: float = 1000, listener: Listener = NOBODY) -> asyncio.Task[Any]:
        """A caller."""
        return asyncio.ensure_future(self.cache.run(Call(input, timeout_s=timeout_s, listener=listener)))


def virtual(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run it in no time, the cache's clock too."""
    loops: list[asyncio.AbstractEventLoop] = []

    async def started() -> None:
        loops.append(asyncio.get_running_loop())
        await main()

    class Clock:
        @staticmethod
        def monotonic() -> float:
            return loops[0].time()

    with patch.object(cache, "time", Clock):
        run(started())


def test_the_same_input_is_run_once_in_a_lifetime() -> None:
    """Then it is run again; another input is another matter."""

    async def main() -> None:
        machine = Machine()
        assert await machine.use("a") == (["a", 1], "miss")
        assert await machine.use("a") == (["a", 1], "hit")
        assert await machine.use("b") == (["b", 2], "miss")
        await asyncio.sleep(LIFETIME_S - RUN_MS / 1000)
        assert await machine.use("a") == (["a", 3], "miss")
        assert machine.cache.uses == {"miss": 3, "hit": 1}

    virtual(main)


def test_who_comes_meanwhile_shares_the_run() -> None:
    """One run, one output, for all of them."""

    async def main() -> None:
        machine = Machine()
        ends = await asyncio.gather(*(machine.use("a") for _ in range(5)))
        assert [output for output, _ in ends] == [["a", 1]] * 5
        assert [use for _, use in ends] == ["miss", *["shared"] * 4]
        assert machine.runs == ["a"]

    virtual(main)


def test_a_failure_is_everybodys_and_is_not_kept() -> None:
    """Who waited is told; who comes later has it run again."""

    async def main() -> None:
        machine = Machine()

        def fail(call: Call) -> Any:
            raise ModelError(f"bad {call.input}")

        output, machine.output = machine.output, fail
        ends = await asyncio.gather(*(machine.start("a") for _ in range(3)), return_exceptions=True)
        assert [str(end) for end in ends] == ["bad a"] * 3
        machine.output = output
        assert await machine.use("a") == (["a", 2], "miss")

    virtual(main)


def test_who_gives_up_cancels_nobody_else() -> None:
    """Not even the one whose call began it."""

    async def main() -> None:
        machine = Machine()
        first, second = machine.start("a"), machine.start("a")
        await asyncio.sleep(0.001)
        first.cancel()
        assert await second == ["a", 1]
        assert first.cancelled()
        assert machine.canceled == 0

    virtual(main)


def test_the_last_who_gives_up_ends_the_run() -> None:
    """Its result would be nobody's; the next caller begins anew, at once."""

    async def main() -> None:
        machine = Machine()
        tasks = [machine.start("a"), machine.start("a")]
        await asyncio.sleep(0.001)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert await machine.use("a") == (["a", 2], "miss")
        assert machine.canceled == 1

    virtual(main)


def test_a_deadline_is_its_own_callers() -> None:
    """Who joined with more time gets a run of their own when the first one's time is over."""

    async def main() -> None:
        machine = Machine()
        machine.hold = lambda: asyncio.sleep(1)
        hasty = machine.start("a", timeout_s=0.5)
        await asyncio.sleep(0.1)
        patient = [machine.start("a", timeout_s=2), machine.start("a", timeout_s=2)]
        hastier = machine.start("a", timeout_s=0.2)
        ends = await asyncio.gather(hasty, *patient, hastier, return_exceptions=True)
        assert [type(end) for end in ends] == [PredictionTimeout, list, list, PredictionTimeout]
        assert str(ends[3]) == "Model 'machine' did not answer within 0.2 s."
        assert machine.runs == ["a", "a"]

    virtual(main)


def test_everybody_hears_what_the_run_says() -> None:
    """From when they join until they leave."""

    class Ear:
        def __init__(self) -> None:
            self.heard: list[Any] = []

        def progress(self, fraction: float, message: str) -> None:
            self.heard.append((fraction, message))

        def log(self, line: str) -> None:
            self.heard.append(line)

        def chunk(self, output: Any) -> None:
            raise AssertionError(output)

    async def main() -> None:
        machine = Machine()
        first, second = Ear(), Ear()

        def output(call: Call) -> Any:
            call.listener.progress(0.5, "half")
            call.listener.log("a line")
            return "done"

        machine.output = output
        await asyncio.gather(machine.start("a", listener=first), machine.start("a", listener=second))
        assert first.heard == second.heard == [(0.5, "half"), "a line"]

    virtual(main)


def test_the_least_recently_used_gives_way() -> None:
    """Memory is bounded; what is larger than all of it is not kept."""

    async def main() -> None:
        machine = Machine(most_bytes=3 * (ENTRY_BYTES + 50))
        machine.output = lambda call: call.input
        for input in "abcad":
            await machine.use(input)
        assert machine.cache.size <= 3 * (ENTRY_BYTES + 50)
        assert [(await machine.use(input))[1] for input in "acd"] == ["hit", "hit", "hit"]
        assert (await machine.use("b"))[1] == "miss"
        assert await machine.use("x" * 1000) == ("x" * 1000, "miss")
        assert (await machine.use("x" * 1000))[1] == "miss"
        assert len(machine.cache) == 3
        machine.cache.clear()
        assert (len(machine.cache), machine.cache.size) == (0, 0)
        assert (await machine.use("d"))[1] == "miss"

    virtual(main)


class When(msgspec.Struct):
    when: datetime


@pytest.mark.parametrize(
    ("first", "second", "are_same"),
    [
        ({"a": 1, "b": [2]}, {"b": [2], "a": 1}, True),
        ({"a": 1}, {"a": 1.0}, False),
        ({"a": True}, {"a": 1}, False),
        ([float("nan")], [None], False),
        ([float("inf")], [float("nan")], False),
        (b"YQ==", "YQ==", False),
        ("a", ["a"], False),
        ("é", "e\u0301", False),
        (When(when=datetime.fromisoformat("2026-11-25T12:00:00+02:00")),) * 2 + (True,),
        (
            When(when=datetime.fromisoformat("2026-11-25T12:00:00+02:00")),
            When(when=datetime.fromisoformat("2026-11-25T10:00:00+00:00")),
            False,
        ),
    ],
)
def test_only_the_same_input_is_the_same(first: Any, second: Any, are_same: bool) -> None:
    """What a model could tell apart is apart."""

    async def main() -> None:
        machine = Machine(input_type=type(first) if isinstance(first, When) else Any)
        machine.output = lambda call: len(machine.runs)
        await machine.use(first)
        assert (await machine.use(second))[1] == ("hit" if are_same else "miss")

    virtual(main)


def test_what_has_no_bytes_is_run_each_time() -> None:
    """Inputs and outputs that MessagePack cannot hold are no business of the cache."""

    async def main() -> None:
        machine = Machine()
        odd = object()
        assert (await machine.use(odd))[1] is None
        assert (await machine.use(odd))[0] == [odd, 2]
        assert len(machine.cache) == 0
        machine.output = lambda _: odd
        assert await machine.use("a") == (odd, "miss")
        assert (await machine.use("a"))[1] == "miss"

    virtual(main)


def test_an_ending_loop_leaves_nobody_waiting() -> None:
    """Whoever waits is canceled with the run."""
    machine = Machine()
    machine.hold = lambda: asyncio.Event().wait()
    tasks: list[asyncio.Task[Any]] = []

    async def main() -> None:
        tasks.extend(machine.start("a") for _ in range(2))
        await asyncio.sleep(0.001)

    virtual(main)
    assert all(task.cancelled() for task in tasks)


class Asked(msgspec.Struct, frozen=True):
    """One caller: when, for what, until when."""

    comes_ms: int
    input: int
    timeout_ms: int
    gives_up_ms: int | None


ASKED = st.builds(
    Asked,
    comes_ms=st.integers(0, 60),
    input=st.integers(0, 2),
    timeout_ms=st.sampled_from([5, 15, 1_000, 1_000]),
    gives_up_ms=st.none() | st.none() | st.sampled_from([0, 5, 10]),
)


@settings(deadline=None, max_examples=200)
@given(st.lists(ASKED, min_size=1, max_size=25), st.sampled_from([1, 20, 1000]), st.sampled_from([10, 100_000]))
def test_never_a_wrong_or_a_stale_answer(callers: Sequence[Asked], lifetime_ms: int, most_bytes: int) -> None:
    """Each answer is of its own input, and was computed no longer ago than its lifetime before it was asked for."""

    async def main() -> None:
        machine = Machine(lifetime_s=lifetime_ms / 1000, most_bytes=most_bytes)
        loop = asyncio.get_running_loop()

        def output(call: Call) -> Any:
            if call.input == 2:
                raise ModelError("bad")
            return (call.input, loop.time())

        machine.output = output

        async def ask(caller: Asked) -> None:
            await asyncio.sleep(caller.comes_ms / 1000)
            asked_s = loop.time()
            task = machine.start(caller.input, timeout_s=caller.timeout_ms / 1000)
            if caller.gives_up_ms is not None:
                loop.call_later(caller.gives_up_ms / 1000, task.cancel)
            await asyncio.wait([task])
            assert loop.time() - asked_s <= caller.timeout_ms / 1000 + 0.001
            if task.cancelled():
                assert caller.gives_up_ms is not None
            elif isinstance(task.exception(), PredictionTimeout):
                assert caller.timeout_ms < 1_000
            elif task.exception() is not None:
                assert caller.input == 2
            else:
                of, computed_s = task.result()
                assert of == caller.input
                assert computed_s >= asked_s - lifetime_ms / 1000 - 1e-9

        await asyncio.gather(*map(ask, callers))
        await asyncio.sleep(1)
        assert machine.cache.size <= most_bytes

    virtual(main)


class Text(msgspec.Struct):
    text: str


class Slow(Model[Text, Text]):
    """Keeps its results."""

    cache_s = 60
    input_example = Text(text="example")
    runs = 0

    def predict(self, inputs: list[Text]) -> list[Text]:
        Slow.runs += len(inputs)
        context.log("running")
        return inputs


async def test_a_model_says_how_long_its_outputs_are_kept() -> None:
    """Through the batcher, in a thread; unloading forgets them."""
    registry = ModelRegistry()
    served = registry.add(Slow)
    await registry.load_all()
    Slow.runs = 0
    outputs = [await served.run(Text(text=text), timeout_s=10) for text in ("a", "a", "b", "example")]
    assert [each.text for each in outputs] == ["a", "a", "b", "example"]
    assert Slow.runs == 3
    await served.unload()
    await served.load()
    await served.run(Text(text="a"), timeout_s=10)
    assert Slow.runs == 5
    await registry.close()


def test_a_stream_is_not_kept() -> None:
    """Its pieces come one by one: the class is refused, with the reason."""

    class Stream(Model[Text, Text]):
        cache_s = 60

        def predict(self, input: Text) -> Iterator[Text]:
            yield input

    with pytest.raises(ModelDefinitionError, match="`cache_s` cannot be set on a model that streams"):
        define(Stream)
