"""Redis away, or silent: what still works, what says so, and that it comes back by itself."""

import asyncio
import os
import signal
import time

import pytest

from tests.api.running import RunningApi, running_api, running_worker
from zypher_jobs.queue.embedded import EmbeddedServer
from zypher_jobs.settings import Settings
from zypher_jobs.testing import wait_until

MOST_S = 2.0
"""Longest time that an answer may take while Redis is away."""


@pytest.fixture
def api_settings(valkey_settings: Settings) -> Settings:
    """A server of its own."""
    return valkey_settings


async def check_away(api: RunningApi) -> None:
    """What every route does while Redis is away."""
    started = time.monotonic()
    submitted, read, polled, stats, ready, health, now = await asyncio.gather(
        api.post("/predict", json={"input": "later"}, headers={"Async-Mode": "true"}),
        api.get("/predict/" + "0" * 32),
        api.get("/predict/" + "0" * 32 + "?wait=30"),
        api.get("/stats"),
        api.get("/health/ready"),
        api.get("/health"),
        api.post("/predict", json={"input": "now"}),
    )
    assert time.monotonic() - started < MOST_S
    for answer in (submitted, read, polled, stats, ready):
        assert answer.status_code == 503
        assert answer.json()["code"] == "redis_unavailable"
        assert int(answer.headers["retry-after"]) >= 1
        assert "sock" not in answer.text
    assert health.status_code == 200
    assert health.json()["status"] == "degraded"
    assert not health.json()["redis"]["ok"]
    assert "sock" not in health.text
    assert now.status_code == 200
    assert (await api.get("/health/live")).status_code == 200


async def test_redis_killed_and_started_again(api: RunningApi, valkey: EmbeddedServer) -> None:
    """503 within 2 s with ``Retry-After``; synchronous ones are answered, and recorded once it is back; no restart."""
    assert (await api.get("/health/ready")).status_code == 200
    valkey.kill()

    await check_away(api)
    assert await api.metric("zypher_redis_up") == 0
    prediction_id = (await api.post("/predict", json={"input": "meanwhile"})).headers["prediction-id"]

    valkey.start()

    async def back() -> bool:
        return (await api.get("/health/ready")).status_code == 200

    await wait_until(back)
    async with running_worker(api):
        answer = await api.post("/predict", json={"input": "x"}, headers={"Prefer": "respond-async, wait=10"})
    assert answer.status_code == 200

    async def recorded() -> bool:
        return (await api.get(f"/predict/{prediction_id}")).status_code == 200

    await wait_until(recorded)
    assert await api.metric("zypher_redis_up") == 1


async def test_redis_stopped_without_a_word(api: RunningApi, valkey: EmbeddedServer) -> None:
    """A server that hangs with its connections open is away too, within the same time."""
    assert (await api.get("/health/ready")).status_code == 200
    os.kill(valkey.pid, signal.SIGSTOP)
    try:
        await check_away(api)
    finally:
        os.kill(valkey.pid, signal.SIGCONT)

    async def back() -> bool:
        return (await api.get("/health/ready")).status_code == 200

    await wait_until(back)


async def test_an_api_that_starts_before_redis_serves(valkey_settings: Settings, valkey: EmbeddedServer) -> None:
    """Not ready, but synchronous predictions are answered; ready as soon as Redis is."""
    valkey.kill()
    async with running_api(valkey_settings) as api:
        assert (await api.get("/health/ready")).status_code == 503
        assert (await api.post("/predict", json={"input": "now"})).status_code == 200
        valkey.start()

        async def back() -> bool:
            return (await api.get("/health/ready")).status_code == 200

        await wait_until(back)
