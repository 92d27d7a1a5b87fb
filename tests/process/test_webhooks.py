"""Webhooks by real processes: the worker delivers, and what is pending outlives everything."""

from collections.abc import Callable

import httpx

from tests.process.stack import Up
from tests.webhooks.receiver import answer, receiving
from tests.webhooks.steps import deliveries, settled, submit
from zypher_jobs.testing import wait_until


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
