"""What the batcher costs a single caller: the same model in the same thread, with it and without."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

import msgspec
import uvloop

from zypher_jobs.models import Model
from zypher_jobs.models.batcher import Batcher
from zypher_jobs.models.call import Call
from zypher_jobs.models.definition import define
from zypher_jobs.models.runtimes.python import PythonRuntime


class Number(msgspec.Struct):
    """Any."""

    value: int = 0


class Nothing(Model[Number, Number]):
    """Takes many, and does nothing with them."""

    def predict(self, inputs: list[Number]) -> list[Number]:
        """As they came."""
        return inputs


def batcher_cost_ms(calls: int = 2_000) -> float:
    """The median of a call through the batcher, less that of one straight to the thread; they take turns."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_cost_ms(calls))


async def _cost_ms(calls: int) -> float:
    runtime = PythonRuntime(Nothing, define(Nothing))
    runtime.load()
    batcher = Batcher(runtime.run, name="nothing", max_batch_size=None, concurrency=2)

    async def straight(call: Call) -> None:
        await runtime.run((call,))

    batched_s: list[float] = []
    straight_s: list[float] = []
    for _ in range(calls):
        batched_s.append(await _took_s(batcher.run))
        straight_s.append(await _took_s(straight))
    runtime.unload()
    return (statistics.median(batched_s) - statistics.median(straight_s)) * 1000


async def _took_s(run: Callable[[Call], Awaitable[object]]) -> float:
    started = time.perf_counter()
    await run(Call(Number(), timeout_s=30))
    return time.perf_counter() - started
