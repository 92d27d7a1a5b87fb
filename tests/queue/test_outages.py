"""Redis in trouble: callers hear so in time, the worker lives on, and everything accepted is done."""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.queue.outages import MOST_S, all_succeed, is_seen, settings_for, submit_steadily, working
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.errors import RedisUnavailable, UnknownPrediction
from zypher_jobs.queue import PredictionQueue, keys
from zypher_jobs.queue.embedded import EmbeddedServer
from zypher_jobs.queue.probe import concerns, probe, warn_of_server
from zypher_jobs.testing import wait_until


async def test_redis_killed_and_started_again_under_load(valkey: EmbeddedServer, tmp_path: Path) -> None:
    """SIGKILL in the middle of submits: all are done by the same worker, none ends twice."""
    async with working(settings_for(valkey.url, tmp_path, latency_ms=20)) as (queue, worker):
        submitting = asyncio.create_task(submit_steadily(queue, 200))
        await wait_until(lambda: worker.jobs_complete > 10)
        valkey.kill()
        await asyncio.sleep(0.3)
        valkey.start()
        ids = await submitting
        await all_succeed(queue, ids)
        await wait_until(lambda: is_seen(queue, worker))
        assert await terminal_events(queue) == sorted(ids)


async def test_every_connection_killed_again_and_again(valkey: EmbeddedServer, tmp_path: Path) -> None:
    """CLIENT KILL under load is not even seen by callers that come with an id of their own."""
    async with working(settings_for(valkey.url, tmp_path, latency_ms=5)) as (queue, _):
        client: Any = queue
        submitting = asyncio.create_task(submit_steadily(queue, 200))
        while not submitting.done():
            for kind in ("normal", "pubsub"):
                await client.client_kill_filter(_type=kind, skipme=True)
            await asyncio.sleep(0.05)
        await all_succeed(queue, await submitting)
        assert await terminal_events(queue) == sorted(submitting.result())


async def test_a_silent_redis_costs_each_caller_one_timeout(valkey: EmbeddedServer, tmp_path: Path) -> None:
    """SIGSTOP: submits, those behind them and waiters are refused in time; after SIGCONT all goes on."""
    async with working(settings_for(valkey.url, tmp_path, latency_ms=300)) as (queue, _):
        ids = await submit_steadily(queue, 20)
        with pytest.raises(UnknownPrediction):
            await queue.wait_for("0" * 32, 0.1)  # the connection for waiters is open
        os.kill(valkey.pid, signal.SIGSTOP)
        try:
            calls = [refused(queue.submit("mock", {"input": "x"})) for _ in range(3)]
            calls += [refused(queue.wait_for(prediction_id, 30)) for prediction_id in ids[:10]]
            calls += [refused(queue.wait_for(f"{number:032}", 30)) for number in range(10)]
            calls += [later(0.1, refused(queue.submit("mock", {"input": "x"})))]
            assert max(await asyncio.gather(*calls)) < MOST_S
        finally:
            os.kill(valkey.pid, signal.SIGCONT)
        await all_succeed(queue, ids)


async def test_a_waiter_is_woken_after_its_connection_was_cut(valkey: EmbeddedServer, tmp_path: Path) -> None:
    """The subscription is made again, and what ended in the gap is not missed."""
    async with working(settings_for(valkey.url, tmp_path, latency_ms=400)) as (queue, _):
        client: Any = queue
        submitted = await queue.submit("mock", {"input": "x"})
        waiting = asyncio.create_task(queue.wait_for(submitted.prediction_id, 10))

        async def is_to_be_told() -> bool:
            return bool(await client.hget(keys.record(submitted.prediction_id), "reply_to"))

        await wait_until(is_to_be_told)
        await client.client_kill_filter(_type="pubsub", skipme=True)
        assert (await waiting).status is Status.SUCCEEDED


async def test_a_redis_that_loads_its_data(tmp_path: Path) -> None:
    """LOADING: callers are told, the worker waits for it."""
    delay_us = 50
    server = EmbeddedServer(tmp_path / "valkey", arguments=("--key-load-delay", str(delay_us)))
    server.start()
    try:
        async with working(settings_for(server.url, tmp_path)) as (queue, _):
            client: Any = queue
            async with client.pipeline(transaction=False) as pipe:
                for number in range(15_000):
                    pipe.set(f"ballast:{number}", b"x")
                await pipe.execute()
            server.kill()
            server.launch()

            async def told() -> bool:
                try:
                    await queue.submit("mock", {"input": "x"})
                except RedisUnavailable as error:
                    return "loading" in error.message
                return False

            await wait_until(told)
            await all_succeed(queue, await submit_steadily(queue, 20))
    finally:
        server.kill()


async def test_a_redis_that_becomes_a_replica_for_a_while(valkey: EmbeddedServer, tmp_path: Path) -> None:
    """READONLY: submits are refused, what runs is reported when it takes writes again."""
    async with working(settings_for(valkey.url, tmp_path, latency_ms=300)) as (queue, worker):
        client: Any = queue
        ids = await submit_steadily(queue, 10)
        await client.replicaof("127.0.0.1", "1")
        with pytest.raises(RedisUnavailable, match="read-only replica"):
            await queue.submit("mock", {"input": "x"})
        await asyncio.sleep(0.5)  # it has ended meanwhile, and could not be reported
        await client.replicaof("NO", "ONE")
        await all_succeed(queue, [*ids, *await submit_steadily(queue, 10)])
        assert worker.refused_finishes == 0


async def test_full_memory_refuses_what_is_new_and_ends_what_runs(valkey: EmbeddedServer, tmp_path: Path) -> None:
    """OOM: a submit says so; what runs keeps its lease, runs once and ends, though memory is full all the time."""
    async with working(settings_for(valkey.url, tmp_path, latency_ms=1500)) as (queue, worker):
        client: Any = queue
        ids = await submit_steadily(queue, 10)
        await wait_until(lambda: len(worker.tasks) == 10)
        await client.config_set("maxmemory", "1mb")
        with pytest.raises(RedisUnavailable, match="out of memory"):
            await queue.submit("mock", {"input": "x"})
        await all_succeed(queue, ids)
        assert {(await queue.prediction(prediction_id)).attempts for prediction_id in ids} == {1}
        assert await is_seen(queue, worker)
        await client.config_set("maxmemory", "0")
        await all_succeed(queue, await submit_steadily(queue, 10))


async def test_full_memory_lets_what_waits_be_run(valkey: EmbeddedServer, tmp_path: Path) -> None:
    """Or a full queue could not empty itself."""
    async with working(settings_for(valkey.url, tmp_path)) as (queue, _):
        client: Any = queue
        await queue.pause()
        ids = await submit_steadily(queue, 30)
        await client.config_set("maxmemory", "1mb")
        await queue.resume()
        await all_succeed(queue, ids)


async def test_a_flushed_script_cache_is_not_noticed(valkey: EmbeddedServer, tmp_path: Path) -> None:
    """NOSCRIPT is answered with the script's text, by clients, worker and keeper."""
    async with working(settings_for(valkey.url, tmp_path, latency_ms=5)) as (queue, worker):
        client: Any = queue
        submitting = asyncio.create_task(submit_steadily(queue, 100))
        while not submitting.done():
            await client.script_flush()
            await asyncio.sleep(0.02)
        await all_succeed(queue, await submitting)
        await wait_until(lambda: is_seen(queue, worker))


async def test_a_server_that_evicts_is_warned_of(
    valkey: EmbeddedServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Any policy but noeviction, with the reason; a server as it should be is not talked of."""
    assert concerns(await probe(valkey.url, timeout_s=1)) == []
    queue = PredictionQueue.from_settings(settings_for(valkey.url, tmp_path))
    client: Any = queue
    await client.config_set("maxmemory-policy", "allkeys-lru")
    await warn_of_server(queue)
    (record,) = caplog.records
    assert "allkeys-lru: a full server forgets queued predictions; set noeviction" in record.getMessage()
    valkey.kill()
    await warn_of_server(queue)
    assert len(caplog.records) == 1
    await queue.aclose()


async def refused(call: Any) -> float:
    """How long a call took that raises ``RedisUnavailable``."""
    began_s = time.monotonic()
    with pytest.raises(RedisUnavailable):
        await call
    return time.monotonic() - began_s


async def later(seconds: float, call: Any) -> float:
    """A call that comes when others are under way."""
    await asyncio.sleep(seconds)
    return await call


async def terminal_events(queue: PredictionQueue) -> list[str]:
    """The id of each terminal event."""
    client: Any = queue
    found: list[str] = []
    for _, fields in await client.xrange(keys.EVENTS):
        events = msgspec.msgpack.decode(fields[b"events"], type=list[tuple[str, str, str, int, str]])
        found += [one for one, status, *_ in events if status in ("succeeded", "failed", "canceled", "expired")]
    return sorted(found)
