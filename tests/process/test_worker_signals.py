"""Signals to a worker that runs a hundred predictions: all end or go back, none runs twice at the same time."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.chaos.part import Part
from tests.chaos.records import settle
from tests.chaos.runs import overlaps, read_runs
from tests.chaos.stack import Stack
from tests.chaos.troubles import Troubles
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.queue import PredictionQueue
from zypher_jobs.settings import Settings
from zypher_jobs.testing import wait_until

LEASE_S = 1.0
COUNT = 100


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncGenerator[Stack]:
    """Two workers, with little time to drain."""
    made = Stack(tmp_path, workers=2, apis=0, lease_s=LEASE_S, grace_s=1)
    try:
        await made.start()
        yield made
    finally:
        await made.stop()


async def submit(stack: Stack, *, ms: float) -> list[str]:
    """``COUNT`` predictions that take so long; returns when all of them run."""
    queue = PredictionQueue.from_settings(Settings(redis_url=stack.redis.url))
    values = [{"key": key, "ms": ms} for key in range(COUNT)]
    ids = [prediction.prediction_id for prediction in await queue.submit_many("chaos", values)]
    await wait_until(lambda: len(read_runs(stack.runs_file)) == COUNT)
    await queue.aclose()
    return ids


def busiest(stack: Stack) -> Part:
    """The worker that runs the most."""
    pids = Counter(of_one[-1].pid for of_one in read_runs(stack.runs_file).values())
    return max(stack.workers, key=lambda worker: pids[worker.pid])


async def statuses(stack: Stack, ids: list[str]) -> set[tuple[Status, int]]:
    """Every status with its number of attempts."""
    queue = PredictionQueue.from_settings(Settings(redis_url=stack.redis.url))
    found = [await queue.prediction(prediction_id) for prediction_id in ids]
    await queue.aclose()
    return {(prediction.status, prediction.attempts) for prediction in found}


async def test_sigterm_with_time_enough_ends_what_runs(stack: Stack) -> None:
    """Both are told to end while a hundred run: each runs once, and both end by themselves."""
    ids = await submit(stack, ms=600)
    await asyncio.gather(*(worker.end(signal.SIGTERM, timeout_s=10) for worker in stack.workers))
    assert await statuses(stack, ids) == {(Status.SUCCEEDED, 1)}
    assert {len(runs) for runs in read_runs(stack.runs_file).values()} == {1}


async def test_sigterm_without_time_hands_back_what_runs(stack: Stack) -> None:
    """What outlasts the grace period goes back at once and is run by the other worker, as its first attempt still."""
    ids = await submit(stack, ms=2500)
    leaving = busiest(stack)
    told_s = time.monotonic()
    await leaving.end(signal.SIGTERM, timeout_s=10)
    gone_s = time.monotonic()
    assert gone_s - told_s < 1 + 3
    assert await settle(stack, timeout_s=20) == {}
    assert await statuses(stack, ids) == {(Status.SUCCEEDED, 1)}
    runs = read_runs(stack.runs_file)
    again = [of_one[1].began_s - gone_s for of_one in runs.values() if len(of_one) > 1]
    assert again
    assert max(again) < LEASE_S, "it waited for leases to lapse"
    assert not any(overlaps(of_one, stack.lives, Troubles(), lease_s=LEASE_S) for of_one in runs.values())


async def test_sigkill_is_recovered_from_within_the_lease_and_a_second(stack: Stack) -> None:
    """Three kills: every prediction of the killed worker begins again in time, and none is done twice."""
    for _ in range(3):
        stack.runs_file.write_bytes(b"")
        ids = await submit(stack, ms=700)
        victim, killed_s = busiest(stack), time.monotonic()
        victim_pid = victim.pid
        await victim.end(signal.SIGKILL)
        assert await settle(stack, timeout_s=20) == {}
        assert {status for status, _ in await statuses(stack, ids)} == {Status.SUCCEEDED}
        again_s = [
            of_one[1].began_s - killed_s
            for of_one in read_runs(stack.runs_file).values()
            if of_one[0].pid == victim_pid and len(of_one) > 1
        ]
        assert again_s
        assert max(again_s) < LEASE_S + 1
        assert await stack.missing(timeout_s=20) == []


async def test_a_stopped_worker_loses_its_predictions_and_its_late_finishes(stack: Stack) -> None:
    """SIGSTOP: another one runs them; what the stopped one says when it goes on is refused."""
    ids = await submit(stack, ms=300)
    stopped = busiest(stack)
    stopped.send(signal.SIGSTOP)
    assert await settle(stack, timeout_s=20) == {}
    ended = await statuses(stack, ids)
    stopped.send(signal.SIGCONT)
    await wait_until(lambda: b"refused: the lease was lost" in stopped.lives[-1].log.read_bytes())
    await asyncio.sleep(0.2)
    assert await statuses(stack, ids) == ended
    assert {status for status, _ in ended} == {Status.SUCCEEDED}
