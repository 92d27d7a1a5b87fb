"""``zypher up`` without a terminal: it becomes ready, serves, and drains in order."""

import json
import resource
import signal
from collections.abc import Callable

import httpx
import pytest

from tests.process.stack import Up
from zypher_jobs.testing import wait_until


async def test_up_says_each_ready_part_in_one_line_and_serves(make_up: Callable[..., Up]) -> None:
    """Redis, API and both workers: a plain line each on stdout, JSON only on stderr, and predictions are answered."""
    up = make_up(workers=2)
    await up.start_and_wait()
    lines = up.out.read_text().splitlines()
    assert lines[0] == f"ready  redis   embedded Valkey 9.1.2, data in {up.data_dir}"
    assert f"ready  api     {up.url} (docs: /docs)" in lines
    workers = sorted(line for line in lines if line.startswith("ready  worker"))
    assert [line.split(",")[0] for line in workers] == ["ready  worker  1 of 2", "ready  worker  2 of 2"]
    assert len(lines) == 4
    async with httpx.AsyncClient(base_url=up.url) as client:
        answer = await client.post("/predict", json={"input": "hello"})
    assert answer.status_code == 200
    assert answer.json()["input"] == "hello"
    await up.all_succeed(await up.submit(5))
    assert all(json.loads(line) for line in up.err.read_text().splitlines())


async def test_a_second_terminal_finds_the_running_one(make_up: Callable[..., Up]) -> None:
    """``zypher top --once`` and ``zypher doctor`` need no address: run.json of the data directory has it."""
    up = make_up()
    await up.start_and_wait()
    del up.environ["ZYPHER_PORT"]
    top = up.run("top", "--once", "--json")
    assert top.returncode == 0, top.stderr
    assert json.loads(top.stdout)
    doctor = up.run("doctor")
    assert doctor.returncode == 0, doctor.stdout
    assert f"is in use by the Zypher that runs (pid {up.pid})" in doctor.stdout
    assert f"✓ ok    api       {up.url} answers and is ready" in doctor.stdout
    assert "✓ ok    workers   1 alive, 0 predictions wait" in doctor.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_drains_in_order_and_leaves_no_process(
    make_up: Callable[..., Up], number: signal.Signals
) -> None:
    """Workers end first, then the API, then Redis; exit code 0, no process, no run.json."""
    up = make_up(workers=2)
    await up.start_and_wait()
    up.signal(number)
    assert await up.ended() == 0
    ended = [event["child"].split()[0] for event in up.events() if "child" in event]
    assert ended == ["worker", "worker", "api", "redis"]
    await up.nothing_is_left()
    assert not (up.data_dir / "run.json").exists()


async def test_running_predictions_finish_while_it_drains(make_up: Callable[..., Up]) -> None:
    """What runs at SIGTERM ends within the grace period, and is found with its first attempt at the next start."""
    up = make_up(mock_latency_ms=1000, concurrency=2)
    await up.start_and_wait()
    ids = await up.submit(4)

    async def two_run() -> bool:
        return (await up.statuses(ids)).count("running") == 2

    await wait_until(two_run)
    up.signal(signal.SIGTERM)
    assert await up.ended() == 0
    up.environ["ZYPHER_WORKERS"] = "0"
    await up.start_and_wait()
    seen = sorted((record["status"], record["attempts"]) for record in await up.records(ids))
    assert seen == [("queued", 0), ("queued", 0), ("succeeded", 1), ("succeeded", 1)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_second_signal_ends_at_once(make_up: Callable[..., Up], number: signal.Signals) -> None:
    """The first lets a long prediction run on; the second kills all, and nothing is left."""
    up = make_up(mock_latency_ms=60_000, grace_s=60)
    await up.start_and_wait()
    ids = await up.submit(1)

    async def runs() -> bool:
        return await up.statuses(ids) == ["running"]

    await wait_until(runs)
    up.signal(number)
    await wait_until(lambda: up.said("draining"))
    assert up.process is not None

    def interrupted_again() -> bool:
        assert up.process is not None
        if up.process.poll() is None:
            up.signal(number)
        return up.process.poll() is not None

    await wait_until(interrupted_again, timeout_s=5, every_s=0.1)
    assert up.process.returncode == 130
    await up.nothing_is_left()


async def test_a_given_redis_is_used_and_none_is_started(make_up: Callable[..., Up], redis_url: str) -> None:
    """With ZYPHER_REDIS_URL set, API and workers run on it; it is left alone at the end and its URL is not written."""
    up = make_up(redis_url=redis_url)
    await up.start_and_wait()
    assert sorted(up.facts.pids) == ["api", "worker 1 of 1"]
    assert up.facts.redis_url is None
    assert not (up.data_dir / "redis.sock").exists()
    await up.all_succeed(await up.submit(3))
    up.signal(signal.SIGTERM)
    assert await up.ended() == 0
    await up.nothing_is_left()


async def test_the_api_may_hold_as_many_connections_as_the_system_allows(make_up: Callable[..., Up]) -> None:
    """Those who wait hold one each, and the usual limit of 1,024 is few."""
    up = make_up()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, hard), hard))
    try:
        await up.start_and_wait()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    pid = next(pid for name, pid in up.facts.pids.items() if name.startswith("api"))
    assert resource.prlimit(pid, resource.RLIMIT_NOFILE) == (hard, hard)
