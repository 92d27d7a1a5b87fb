"""``just bench isolation``: what a model notices of others that do their worst in processes of their own.

A neighbor in a thread of the server is called over HTTP, one call after the other, by turns in quiet and
beside models in processes of their own that spin, crash, eat memory or ignore that their caller left, one of them and
then all four, each again as soon as it has ended. What counts is the median of the rounds' p99s, so that one moment of
something else on the machine does not decide.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import httpx

from zypher_jobs.testing import free_port, wait_until

BAR = 2.0
"""The neighbor's p99 beside one of the villains, over its quiet one; what all four at once make of it is shown too."""
ROUNDS = 7
"""Alone and beside the villains by turns, so that both see the same of what else the machine does."""
SETTLE_S = 2
"""After which the last villain is killed, and its successor has loaded."""
_MODELS = ("Villain", "Crasher", "LimitedVillain", "Gang")
_ROOT = Path(__file__).parents[1]


class Percentiles(NamedTuple):
    """Of the neighbor's calls in one round."""

    calls: int
    p50_ms: float
    p99_ms: float


async def _percentiles(client: httpx.AsyncClient, seconds: float) -> Percentiles:
    took_ms: list[float] = []
    until_s = time.perf_counter() + seconds
    while (started_s := time.perf_counter()) < until_s:
        answer = await client.post("/models/quiet/predict", json={"text": "a"})
        assert answer.status_code == 200, answer.text
        took_ms.append((time.perf_counter() - started_s) * 1000)
    cuts = statistics.quantiles(took_ms, n=100)
    return Percentiles(len(took_ms), cuts[49], cuts[98])


async def _again(deed: Callable[[], Awaitable[object]], ended: list[str], name: str) -> None:
    while True:
        await deed()
        ended.append(name)


async def _measure(client: httpx.AsyncClient, seconds: float) -> bool:
    async def order(model: str, code: str, **what: object) -> None:
        answer = await client.post(f"/models/{model}/predict", json=what)
        assert answer.json()["code"] in {code, "timeout"}, answer.text  # a busy machine may be slow in doing its worst

    async def leave() -> None:
        with suppress(httpx.ReadTimeout):
            await client.post("/models/gang/predict", json={"do": "spin in C"}, timeout=0.3)

    deeds: dict[str, Callable[[], Awaitable[object]]] = {
        "spins": lambda: order("villain", "timeout", do="spin"),
        "crashes": lambda: order("crasher", "model_crashed", do="segfault"),
        "eats memory": lambda: order("limited-villain", "out_of_memory", do="eat", count=100_000),
        "ignores its cancel": leave,
    }
    await _percentiles(client, 1)
    ratios: list[float] = []
    for names in (*([name] for name in deeds), list(deeds)):
        ended: list[str] = []
        alone: list[Percentiles] = []
        beside: list[Percentiles] = []
        for _ in range(ROUNDS):
            alone.append(await _percentiles(client, seconds))
            villains = [asyncio.create_task(_again(deeds[name], ended, name)) for name in names]
            beside.append(await _percentiles(client, seconds))
            for villain in villains:
                villain.cancel()
            await asyncio.wait(villains)
            await asyncio.sleep(SETTLE_S)
        assert set(ended) == set(names), f"only {set(ended)} ended"
        ratios.append(_show(names[0] if len(names) == 1 else "all four at once", alone, beside))
    worst = max(ratios[: len(deeds)])
    print(f"p99 beside one of them: {worst:.2f} times that alone at most; the bar is {BAR:g}")
    return worst <= BAR


def _show(name: str, alone: Sequence[Percentiles], beside: Sequence[Percentiles]) -> float:
    p99s: list[float] = []
    row = f"{name:20}"
    for when, rounds in (("alone", alone), ("beside", beside)):
        calls = sum(each.calls for each in rounds)
        p50_ms = statistics.median(each.p50_ms for each in rounds)
        p99_ms = statistics.median(each.p99_ms for each in rounds)
        row += f"   {when} {calls:6,} calls, p50 {p50_ms:5.2f} ms, p99 {p99_ms:6.2f} ms"
        p99s.append(p99_ms)
    print(f"{row}   {p99s[1] / p99s[0]:5.2f} x", flush=True)
    return p99s[1] / p99s[0]


def _environ(port: int, directory: str) -> dict[str, str]:
    ours = {
        "PORT": port,
        "DATA_DIR": directory,
        "WORKERS": 0,
        "RUN_TIMEOUT_S": 1,
        "MODELS": ",".join((*(f"tests.models.villains:{name}" for name in _MODELS), "tests.models.quiet:Quiet")),
    }
    return os.environ | {f"ZYPHER_{name}": str(value) for name, value in ours.items()} | {"PYTHONPATH": str(_ROOT)}


async def _run(port: int, seconds: float) -> bool:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:

        async def ready() -> bool:
            with suppress(httpx.TransportError):
                return (await client.post("/models/quiet/predict", json={})).status_code == 200
            return False

        await wait_until(ready, timeout_s=30)
        return await _measure(client, seconds)


def main() -> int:
    """1 if the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each half of a round")
    seconds = parser.parse_args().seconds
    port = free_port()
    command = [sys.executable, "-m", "zypher_jobs.cli", "up"]
    with (
        TemporaryDirectory() as directory,
        (Path(directory) / "log").open("wb") as log,
        subprocess.Popen(
            command, env=_environ(port, directory), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        ) as server,
    ):
        try:
            return 0 if asyncio.run(_run(port, seconds)) else 1
        finally:
            server.terminate()


if __name__ == "__main__":
    sys.exit(main())
