"""A registered webhook whose receiver does nothing but fail: its deliveries are tried no more, until one succeeds."""

from typing import Any

import msgspec
import pytest

from tests.api.running import RunningApi
from tests.webhooks.receiver import Receiver, answer
from tests.webhooks.steps import ASYNC, deliveries, register, settled, submit
from zypher_jobs.queue import keys
from zypher_jobs.queue.connection import RedisClient
from zypher_jobs.testing import wait_until
from zypher_jobs.webhooks.delivering import delivering

DAY_MS = 86_400_000


async def told(api: RunningApi) -> str:
    """A prediction without a webhook of its own, whose delivery to the registered one has ended; its id."""
    prediction_id = (await api.post("/predict", json={"input": "a"}, headers=ASYNC)).json()["prediction_id"]
    await settled(api, prediction_id)
    return prediction_id


async def days_pass(api: RunningApi, webhook: dict[str, Any], days: float) -> None:
    """As if it had failed for so much longer."""
    redis: RedisClient = api.services.queue
    since_ms = int(await redis.hget(keys.WEBHOOKS_FAILING, webhook["webhook_id"]) or 0)
    assert since_ms
    await redis.hset(keys.WEBHOOKS_FAILING, webhook["webhook_id"], str(since_ms - int(days * DAY_MS)))


async def seen(api: RunningApi, webhook: dict[str, Any]) -> dict[str, Any]:
    """The webhook, which is the same in the list."""
    one = (await api.get(f"/webhooks/{webhook['webhook_id']}")).json()
    assert one in (await api.get("/webhooks")).json()["webhooks"]
    return one


async def suspended(api: RunningApi, receiver: Receiver) -> dict[str, Any]:
    """A webhook that was registered and is suspended since."""
    receiver.says = [answer(500)]
    webhook = await register(api, receiver.url)
    await told(api)
    await days_pass(api, webhook, 3)
    await told(api)
    assert (await seen(api, webhook))["suspended_at"]
    return webhook


@pytest.mark.usefixtures("delivers")
async def test_days_of_nothing_but_failures_suspend_it(api: RunningApi, receiver: Receiver) -> None:
    """Not a moment before; then each delivery fails at once, is in the log with the reason, and shows everywhere."""
    assert api.settings.webhook_suspend_s == 3 * 86_400
    receiver.says = [answer(500)]
    webhook = await register(api, receiver.url)
    assert (webhook["failing_since"], webhook["suspended_at"]) == (None, None)
    await told(api)
    assert (await seen(api, webhook))["failing_since"]
    await days_pass(api, webhook, 2.99)
    await told(api)
    assert (await seen(api, webhook))["suspended_at"] is None
    assert (await api.get("/stats")).json()["webhooks_suspended"] == 0
    await days_pass(api, webhook, 0.02)
    await told(api)
    assert (await seen(api, webhook))["suspended_at"]
    tries = len(receiver.received)
    (delivery,) = await deliveries(api, await told(api))
    assert (delivery["state"], delivery["attempts"], delivery["next_attempt_at"]) == ("failed", 0, None)
    assert "its webhook is suspended" in delivery["log"][0]["error"]
    assert len(receiver.received) == tries
    assert delivery in (await api.get(f"/webhooks/{webhook['webhook_id']}/deliveries")).json()["deliveries"]
    assert (await api.get("/stats")).json()["webhooks_suspended"] == 1
    assert await api.metric("zypher_webhooks_suspended") == 1
    assert await api.metric('zypher_webhook_deliveries_total{outcome="refused"}') == 1


@pytest.mark.usefixtures("delivers")
async def test_a_success_in_between_begins_the_time_anew(api: RunningApi, receiver: Receiver) -> None:
    """A receiver that takes one now and then is not dead."""
    receiver.says = [answer(500)]
    webhook = await register(api, receiver.url)
    await told(api)
    await days_pass(api, webhook, 10)
    receiver.says = [answer()]
    await told(api)
    assert (await seen(api, webhook))["failing_since"] is None
    receiver.says = [answer(500)]
    await told(api)
    assert (await seen(api, webhook))["suspended_at"] is None


@pytest.mark.usefixtures("delivers")
async def test_a_delivery_that_succeeds_resumes_it(api: RunningApi, receiver: Receiver) -> None:
    """One that somebody has delivered once more, though it was never tried before; those that come are told again."""
    webhook = await suspended(api, receiver)
    missed = await told(api)
    receiver.says = [answer()]
    delivery_id = f"{missed}-{webhook['webhook_id']}"
    assert (await api.post(f"/deliveries/{delivery_id}/redeliver")).status_code == 202
    assert (await settled(api, missed))["state"] == "delivered"
    now = await seen(api, webhook)
    assert (now["failing_since"], now["suspended_at"]) == (None, None)
    assert (await settled(api, await told(api)))["state"] == "delivered"
    assert (await api.get("/stats")).json()["webhooks_suspended"] == 0


@pytest.mark.usefixtures("delivers")
async def test_a_retry_that_fails_leaves_it_suspended(api: RunningApi, receiver: Receiver) -> None:
    """Since when, stays."""
    webhook = await suspended(api, receiver)
    before = await seen(api, webhook)
    missed = await told(api)
    await api.post(f"/deliveries/{missed}-{webhook['webhook_id']}/redeliver")

    async def has_failed_again() -> bool:
        (delivery,) = await deliveries(api, missed)
        return delivery["state"] == "failed" and delivery["attempts"] > 0

    await wait_until(has_failed_again)
    assert await seen(api, webhook) == before


@pytest.mark.usefixtures("delivers")
@pytest.mark.parametrize("how", ["enabled", "another receiver"])
async def test_an_operator_resumes_it(api: RunningApi, receiver: Receiver, how: str) -> None:
    """By a call, or with a new URL: its failures count from the beginning."""
    webhook = await suspended(api, receiver)
    path = f"/webhooks/{webhook['webhook_id']}"
    assert (await api.patch(path, json={"description": "ours"})).json()["suspended_at"]
    change = {"disabled": False} if how == "enabled" else {"url": receiver.url + "/new"}
    changed = (await api.patch(path, json=change)).json()
    assert (changed["failing_since"], changed["suspended_at"]) == (None, None)
    tries = len(receiver.received)
    await told(api)
    assert len(receiver.received) > tries
    assert (await seen(api, webhook))["suspended_at"] is None


@pytest.mark.usefixtures("delivers")
async def test_only_its_own_deliveries_count(api: RunningApi, receiver: Receiver) -> None:
    """Neither what is given with a prediction, nor another webhook that works; one that is deleted is forgotten."""
    webhook = await suspended(api, receiver)
    receiver.says = [answer()]
    direct = await api.post("/predict", json={"input": "a"}, headers=ASYNC | {"Webhook-Url": receiver.url})
    prediction_id = direct.json()["prediction_id"]

    async def is_told() -> bool:
        return [each["state"] for each in await deliveries(api, prediction_id)] == ["delivered", "failed"]

    await wait_until(is_told)
    assert (await seen(api, webhook))["suspended_at"]
    await api.delete(f"/webhooks/{webhook['webhook_id']}")
    redis: RedisClient = api.services.queue
    assert await redis.hlen(keys.WEBHOOKS_FAILING) == 0
    assert (await settled(api, await submit(api, receiver.url)))["state"] == "delivered"


async def test_zero_suspends_nothing(api: RunningApi, receiver: Receiver) -> None:
    """However long it fails."""
    receiver.says = [answer(500)]
    webhook = await register(api, receiver.url)
    async with delivering(api.services.queue, msgspec.structs.replace(api.settings, webhook_suspend_s=0)):
        await told(api)
        await days_pass(api, webhook, 1000)
        await told(api)
    assert (await seen(api, webhook))["failing_since"]
    assert (await seen(api, webhook))["suspended_at"] is None
