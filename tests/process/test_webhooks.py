"""Webhooks by real processes: the worker delivers, and what is pending outlives everything."""

import asyncio
import signal
import statistics
import time
from collections.abc import Callable
from contextlib import AsyncExitStack

import httpx

from tests.process.stack import Up
from tests.webhooks.receiver import answer, receiving
from tests.webhooks.steps import deliveries, settled, submit
from zypher_jobs.testing import wait_until
from zypher_jobs.webhooks.deliverer import AT_ONCE


async def test_a_pending_delivery_outlives_a_power_cut(make_up: Callable[..., Up]) -> None:
    """SIGKILL to every process between two attempts: after the next start the receiver gets the same once more."""
    up = make_up(webhook_allow="127.0.0.1", webhook_retry_s="2,2,2,2,2", webhook_timeout_s=1)
    await up.start_and_wait()
    async with receiving() as receiver, httpx.AsyncClient(base_url=up.url, timeout=20) as client:
        receiver.says = [answer(503)]
        prediction_id = await submit(client, receiver.url)

        async def has_failed_once() -> bool:
            found = await deliveries(client, prediction_id)
            return bool(found) and found[0]["attempts"] > 0

        await wait_until(has_failed_once, timeout_s=20)
        up.kill_everything()
        receiver.says = [answer()]
        await up.start_and_wait()
        assert (await settled(client, prediction_id))["state"] == "delivered"
        assert len({received.headers["webhook-id"] for received in receiver.received}) == 1
        assert len({received.body for received in receiver.received}) == 1
        assert len(receiver.received) >= 2


async def test_a_worker_that_is_told_to_stop_hands_its_deliveries_back(make_up: Callable[..., Up]) -> None:
    """SIGTERM under a receiver that hangs: the end is not delayed, and the next worker need not wait for the lease."""
    up = make_up(webhook_allow="127.0.0.1", webhook_timeout_s=300)
    await up.start_and_wait()
    async with receiving() as receiver, httpx.AsyncClient(base_url=up.url, timeout=20) as client:
        receiver.says = [None, answer()]
        prediction_id = await submit(client, receiver.url)
        await wait_until(lambda: receiver.received, timeout_s=20)
        up.signal(signal.SIGTERM)
        assert await up.ended() == 0
        await up.start_and_wait()
        delivery = await settled(client, prediction_id)
        assert (delivery["state"], delivery["attempts"]) == ("delivered", 1)


async def test_a_hundred_receivers_that_hang_delay_no_prediction(make_up: Callable[..., Up]) -> None:
    """One after the other and many at once take as long as before, and the queue of deliveries goes on as it may."""
    up = make_up(webhook_allow="127.0.0.1", webhook_timeout_s=60)
    await up.start_and_wait()
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=up.url, timeout=60))
        receivers = [await stack.enter_async_context(receiving()) for _ in range(100)]
        await _times_s(client)
        one_s, many_s = await _times_s(client)
        for receiver in receivers:
            receiver.says = [None]
        await asyncio.gather(*(submit(client, receiver.url) for receiver in receivers))
        await wait_until(lambda: sum(receiver.connections for receiver in receivers) == AT_ONCE, timeout_s=30)
        one_then_s, many_then_s = await _times_s(client)
        # room for whatever else the machine does: who waited for a receiver would wait for a minute
        assert one_then_s < 3 * one_s + 0.2
        assert many_then_s < 3 * many_s + 2
        assert sum(len(receiver.received) for receiver in receivers) == AT_ONCE


async def _times_s(client: httpx.AsyncClient) -> tuple[float, float]:
    """The median of fifty queued predictions one after the other, and all of two hundred at once."""

    async def predict() -> float:
        started_s = time.perf_counter()
        answer = await client.post("/predict", json={"input": "a"}, headers={"Prefer": "respond-async, wait=30"})
        assert answer.status_code == 200, answer.text
        return time.perf_counter() - started_s

    each_s = [await predict() for _ in range(50)]
    started_s = time.perf_counter()
    await asyncio.gather(*(predict() for _ in range(200)))
    return statistics.median(each_s), time.perf_counter() - started_s
