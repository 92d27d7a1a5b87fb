"""One process of one contestant: ``python -m bench.peers MODULE ROLE …``. A caller prints its figures as JSON."""

import argparse
import asyncio
import importlib
import json
import random
import sys
import time
from collections.abc import AsyncIterator

import uvloop

from bench.peers.contestant import Contestant
from bench.peers.meter import STAMP, Meter

TEXT = "What a piece of work is a man, how noble in reason, how infinite in faculty"
WARM_UP = 200


async def submit(contestant: Contestant, total: int, at_once: int) -> dict[str, object]:
    """``at_once`` callers in this process submit ``total``."""

    async def submit_some(count: int) -> None:
        turns = iter(range(count))

        async def caller() -> None:
            for _ in turns:
                await contestant.submit(TEXT)

        await asyncio.gather(*(caller() for _ in range(at_once)))

    await submit_some(min(WARM_UP, total))
    began = time.perf_counter()
    await submit_some(total)
    return {"per_second": total / (time.perf_counter() - began)}


async def bulk(contestant: Contestant, total: int) -> dict[str, object]:
    """One bulk submit of ``total``."""
    await contestant.submit_many([TEXT] * WARM_UP)
    began = time.perf_counter()
    await contestant.submit_many([TEXT] * total)
    return {"per_second": total / (time.perf_counter() - began)}


async def pick_up(contestant: Contestant, total: int, seconds: float) -> dict[str, object]:
    """Submit to an idle worker, again and again: from before the submit to the function's first line."""
    meter = Meter.from_environment()
    latencies: list[float] = []
    async for warm in _turns(contestant, total, seconds):
        before = meter.begun()
        await contestant.submit(f"{STAMP}{time.monotonic_ns()}")
        while meter.begun() == before:  # noqa: ASYNC110  # another process sets it
            await asyncio.sleep(0.001)
        if warm:
            latencies.append(meter.latest_ns() / 1e6)
        await asyncio.sleep(random.uniform(0.005, 0.025))  # idle again, and out of step with every poll
    return {"ms": latencies}


async def result(contestant: Contestant, total: int, seconds: float) -> dict[str, object]:
    """One caller: from before the submit until its result is here."""
    latencies: list[float] = []
    async for warm in _turns(contestant, total, seconds):
        began = time.perf_counter()
        await contestant.call(TEXT)
        if warm:
            latencies.append((time.perf_counter() - began) * 1000)
    return {"ms": latencies}


async def _turns(contestant: Contestant, total: int, seconds: float) -> AsyncIterator[bool]:
    while True:
        try:
            await contestant.call(TEXT)  # the worker is there
            break
        except Exception as error:  # noqa: BLE001  # SAQ sweeps up what a worker runs while it starts
            print(error, file=sys.stderr)
    for _ in range(3):
        yield False
    deadline = time.perf_counter() + seconds
    for _ in range(total):
        if time.perf_counter() > deadline:
            return
        yield True


async def main(options: argparse.Namespace, contestant: Contestant) -> None:
    """A caller."""
    await contestant.open()
    match options.role:
        case "submit":
            figures = await submit(contestant, options.total, options.at_once)
        case "bulk":
            figures = await bulk(contestant, options.total)
        case "pick-up":
            figures = await pick_up(contestant, options.total, options.seconds)
        case _:
            figures = await result(contestant, options.total, options.seconds)
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("module")
    parser.add_argument("role", choices=["worker", "submit", "bulk", "pick-up", "result"])
    parser.add_argument("--url", required=True)
    parser.add_argument("--total", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=5)
    chosen = parser.parse_args()
    one: Contestant = importlib.import_module(f"bench.peers.{chosen.module}").Peer(chosen.url)
    if chosen.role == "worker":
        Meter.from_environment().wait_at_gate()
        one.work(chosen.at_once)
    else:
        asyncio.Runner(loop_factory=uvloop.new_event_loop).run(main(chosen, one))
