"""``just bench waiters``: 10,000 long polls and 2,000 streams of events held at once by one API process.

First all of them wait for one prediction, then each for one of a thousand. Printed are what a thousand of them take in
memory, how much of a processor they cost while nothing happens, and how long after a prediction's end the last of its
waiters had its answer: within 1 s, for all. Exit code 1 when that does not hold.
"""

import argparse
import asyncio
import os
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import httpx
import uvloop

from bench.crowd import Crowd, Told
from bench.servers import COMMAND, own_api, process, resident_mb
from zypher_jobs.testing import wait_until

BAR_S = 1.0
IDLE_BAR = 0.05
"""Of a processor."""
SPARE_FILES = 500


def main() -> int:
    """Measure, print, and judge."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--polls", type=int, default=10_000)
    arguments.add_argument("--streams", type=int, default=2_000)
    arguments.add_argument("--predictions", type=int, default=1_000, help="of the second round")
    arguments.add_argument("--idle-s", type=float, default=5.0)
    options = arguments.parse_args()
    _allow_files(options.polls + options.streams + SPARE_FILES)
    missed = 0
    for predictions in (1, options.predictions):
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            missed += runner.run(_round(options.polls, options.streams, predictions, options.idle_s))
    return 1 if missed else 0


async def _round(polls: int, streams: int, predictions: int, idle_s: float) -> int:
    """One round with processes of its own; how many bars it missed."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port, pid, _, environment = stack.enter_context(own_api(directory, mock_latency_ms="0"))
        ids = await _submitted(port, predictions)
        before_mb = resident_mb(pid)
        crowd = Crowd(port)
        begun_s = time.perf_counter()
        await crowd.join("poll", [ids[number % len(ids)] for number in range(polls)])
        await crowd.join("stream", [ids[number % len(ids)] for number in range(streams)])
        opened_s = time.perf_counter() - begun_s
        await wait_until(lambda: _cpu_share(pid, 0.5) < IDLE_BAR, timeout_s=20)
        grown_mb = resident_mb(pid) - before_mb
        share = _cpu_share(pid, idle_s)
        stack.enter_context(process([*COMMAND, "worker"], environment, directory / "worker.log"))
        before_s = _cpu_s(pid)
        complete = await crowd.all_told(60)
        told_us = (_cpu_s(pid) - before_s) * 1e6 / len(crowd)
        lates_s = await _lates_s(port, crowd.told)
        print(
            f"\n{polls:,} long polls and {streams:,} streams of {predictions:,} predictions; opened in {opened_s:.1f} s"
        )
        print(
            f"  {grown_mb * 1000 / len(crowd):.1f} MiB for 1,000 waiters; {told_us:.0f} µs of a processor to tell one"
        )
        missed = 0
        for name, value, bar in (
            ("s from a prediction's end to its last waiter's answer", max(lates_s, default=0.0), BAR_S),
            ("of a processor while idle", share, IDLE_BAR),
            ("waiters without an answer", float(len(crowd) - len(crowd.told)), 0.0),
        ):
            missed += value > bar
            print(f"  {name:56}{value:8.3f}{bar:8g}  {'holds' if value <= bar else 'MISSED'}")
        crowd.leave()
        return missed + (not complete)


async def _submitted(port: int, count: int) -> list[str]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        answers = [
            await client.post("/predict", json={"input": f"n{number}"}, headers={"Async-Mode": "true"})
            for number in range(count)
        ]
    return [str(answer.json()["prediction_id"]) for answer in answers]


async def _lates_s(port: int, told: Sequence[Told]) -> list[float]:
    """From the end of each prediction until each of its waiters knew."""
    ends_s: dict[str, float] = {}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        for each in {each.prediction_id for each in told}:
            finished_at = (await client.get(f"/predict/{each}")).json()["finished_at"]
            ends_s[each] = _unix_s(finished_at)
    return [each.at_s - ends_s[each.prediction_id] for each in told]


def _unix_s(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _cpu_share(pid: int, seconds: float) -> float:
    """How much of a processor a process takes."""
    before_s = _cpu_s(pid)
    time.sleep(seconds)  # nothing of this process runs meanwhile either
    return (_cpu_s(pid) - before_s) / seconds


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _allow_files(count: int) -> None:
    """Open so many, here and in what is started from here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        raise SystemExit(f"this system allows {hard:,} open files, and {count:,} are needed: see ulimit -Hn")
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


if __name__ == "__main__":
    sys.exit(main())
