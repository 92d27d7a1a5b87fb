"""Parts that die, and all of it at once: nothing accepted is lost, nothing outlives its supervisor."""

import os
import signal
from collections.abc import Callable

import httpx

from tests.process.stack import Up
from zypher_jobs.testing import wait_until


async def test_a_killed_worker_is_started_again_and_said_so(make_up: Callable[..., Up]) -> None:
    """SIGKILL to the only worker: a line says how it ended, a new one serves."""
    up = make_up()
    await up.start_and_wait()
    killed = up.facts.pids["worker 1 of 1"]
    os.kill(killed, signal.SIGKILL)
    await wait_until(lambda: up.said("worker 1 of 1 was ended by SIGKILL; starting it again in 0.5 s"))
    await wait_until(lambda: len(up.ready_lines()) == 4, timeout_s=20)
    assert up.facts.pids["worker 1 of 1"] != killed
    await up.all_succeed(await up.submit(3))


async def test_a_killed_api_is_started_again(make_up: Callable[..., Up]) -> None:
    """SIGKILL to the API: it answers again on the same port, and knows what was queued."""
    up = make_up(workers=0)
    await up.start_and_wait()
    ids = await up.submit(2)
    os.kill(up.facts.pids["api"], signal.SIGKILL)
    await wait_until(lambda: len(up.ready_lines()) == 3, timeout_s=20)
    assert up.said("api was ended by SIGKILL")
    assert await up.statuses(ids) == ["queued", "queued"]


async def test_a_killed_redis_is_started_again_and_loses_nothing(make_up: Callable[..., Up]) -> None:
    """SIGKILL to the embedded server with predictions queued: API and worker live on, and all succeed."""
    up = make_up(mock_latency_ms=100, concurrency=2)
    await up.start_and_wait()
    before = up.facts.pids
    ids = await up.submit(20)
    os.kill(before["redis"], signal.SIGKILL)
    await wait_until(lambda: up.said("redis was ended by SIGKILL"))
    await up.all_succeed(ids)
    after = up.facts.pids
    assert after["redis"] != before["redis"]
    assert (after["api"], after["worker 1 of 1"]) == (before["api"], before["worker 1 of 1"])


async def test_sigterm_while_a_part_waits_to_be_started_again_drains_promptly(make_up: Callable[..., Up]) -> None:
    """The delay before a restart does not delay the end."""
    up = make_up()
    await up.start_and_wait()
    os.kill(up.facts.pids["worker 1 of 1"], signal.SIGKILL)
    await wait_until(lambda: up.said("starting it again"))
    up.signal(signal.SIGTERM)
    assert await up.ended(timeout_s=5) == 0
    await up.nothing_is_left()


async def test_nothing_outlives_a_killed_supervisor(make_up: Callable[..., Up]) -> None:
    """SIGKILL to the supervisor alone: every child ends by itself, and the next start works at once."""
    up = make_up()
    await up.start_and_wait()
    ids = await up.submit(3)
    up.signal(signal.SIGKILL)
    await up.ended()
    up.start()  # at once: it waits for what is about to end
    await up.wait_ready()
    await up.all_succeed(ids)
    up.signal(signal.SIGTERM)
    assert await up.ended() == 0
    await up.nothing_is_left()


async def test_200_accepted_predictions_survive_sigkill_to_everything(make_up: Callable[..., Up]) -> None:
    """Every id that was answered with 202 reaches succeeded after the next start."""
    up = make_up(workers=2, mock_latency_ms="50-150", concurrency=4)
    await up.start_and_wait()
    ids = await up.submit(200)
    up.kill_everything()
    await up.nothing_is_left()
    assert "No Zypher runs" in up.run("top", "--once").stderr  # run.json is still there, and stale
    await up.start_and_wait()
    await up.all_succeed(ids)


async def test_a_mock_that_crashes_ends_its_worker_and_not_the_api(make_up: Callable[..., Up]) -> None:
    """ZYPHER_MOCK_CRASH_RATE, for seeing a recovery: the worker is started again, what the API runs is answered."""
    up = make_up(mock_crash_rate=1)
    await up.start_and_wait()
    async with httpx.AsyncClient(base_url=up.url) as client:
        assert (await client.post("/predict", json={"input": "hello"})).status_code == 200
        ids = await up.submit(1)
        await wait_until(lambda: up.said("worker 1 of 1 was ended by SIGKILL; starting it again"))
        buried = (await client.get(f"/predict/{ids[0]}?wait=30", timeout=40)).json()
    assert (buried["status"], buried["error"]["code"]) == ("failed", "poison")
