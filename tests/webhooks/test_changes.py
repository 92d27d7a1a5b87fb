"""Webhooks are changed, disabled and enabled again."""

from typing import Any

import pytest

from tests.api.running import RunningApi
from tests.webhooks.receiver import Receiver, answer, receiving
from tests.webhooks.steps import deliveries, register, settled, submit
from zypher_jobs.testing import wait_until
from zypher_jobs.webhooks.delivering import delivering


async def told(api: RunningApi) -> str:
    """A prediction without a webhook of its own; its id."""
    answer = await api.post("/predict", json={"input": "a"}, headers={"Async-Mode": "true"})
    return answer.json()["prediction_id"]


async def test_what_is_named_changes_and_the_rest_stays(api: RunningApi) -> None:
    """One field after the other; nothing named changes nothing."""
    webhook = await register(api, "https://example.com/a", events=["prediction.failed"], models=["mock"])
    webhook.pop("secret")
    path = f"/webhooks/{webhook['webhook_id']}"
    changes: list[dict[str, Any]] = [
        {"url": "https://example.com/b"},
        {"events": []},
        {"models": ["raises", "mock"]},
        {"description": "ours"},
        {},
        {"events": ["prediction.canceled", "prediction.failed"], "models": []},
    ]
    for change in changes:
        webhook |= change
        assert (await api.patch(path, json=change)).json() == webhook
    assert (await api.get(path)).json() == webhook
    assert (await api.get("/webhooks")).json() == {"webhooks": [webhook]}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"url": "http://10.0.0.1/"}, "$.url"),
        ({"url": None}, "$.url"),
        ({"disabled": "no"}, "$.disabled"),
        ({"events": ["prediction.begun"]}, "$.events[0]"),
        ({"secret": "mine"}, "$"),
        ([], "$"),
    ],
)
async def test_a_change_that_cannot_be_is_refused_with_its_field(api: RunningApi, change: object, field: str) -> None:
    """And nothing changes."""
    webhook = await register(api, "https://example.com/a")
    webhook.pop("secret")
    path = f"/webhooks/{webhook['webhook_id']}"
    refused = await api.patch(path, json=change)
    assert (refused.status_code, refused.json()["field"]) == (422, field)
    assert (await api.get(path)).json() == webhook
    unknown = await api.patch("/webhooks/wh_none", json={})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_webhook")


@pytest.mark.usefixtures("delivers")
async def test_one_that_410_disabled_is_enabled_again(api: RunningApi, receiver: Receiver) -> None:
    """It is told of what ends from then on; what failed before can be had once more."""
    receiver.says = [answer(410), answer()]
    webhook = await register(api, receiver.url, events=["prediction.succeeded"], description="ours")
    path = f"/webhooks/{webhook['webhook_id']}"
    first = await told(api)
    lost = await settled(api, first)
    assert lost["state"] == "failed"
    disabled_at = (await api.get(path)).json()["disabled_at"]
    assert disabled_at is not None
    assert (await api.patch(path, json={"disabled": True})).json()["disabled_at"] == disabled_at
    enabled = (await api.patch(path, json={"disabled": False})).json()
    assert enabled == {name: value for name, value in webhook.items() if name != "secret"}
    second = await told(api)
    assert (await settled(api, second))["state"] == "delivered"
    await api.post(f"/deliveries/{lost['delivery_id']}/redeliver")
    assert (await settled(api, first))["state"] == "delivered"
    assert [received.json["data"]["prediction_id"] for received in receiver.received] == [first, second, first]


@pytest.mark.usefixtures("delivers")
async def test_one_that_is_disabled_by_hand_is_told_nothing(api: RunningApi, receiver: Receiver) -> None:
    """Until it is enabled; a delivery that was pending has failed, and says why."""
    webhook = await register(api, receiver.url)
    path = f"/webhooks/{webhook['webhook_id']}"
    assert (await api.patch(path, json={"disabled": True})).json()["disabled_at"] is not None
    async with receiving() as other:
        prediction_id = await submit(api, other.url)
        await settled(api, prediction_id)
    assert [each["webhook_id"] for each in await deliveries(api, prediction_id)] == ["direct"]
    assert receiver.connections == 0


async def test_what_is_pending_goes_to_the_new_url(api: RunningApi, receiver: Receiver) -> None:
    """As does what failed at the old one and is delivered once more."""
    webhook = await register(api, "http://127.0.0.1:1/wrong")
    async with delivering(api.services.queue, api.settings):
        prediction_id = await told(api)
        wrong = await settled(api, prediction_id)
        assert wrong["state"] == "failed"
        await api.patch(f"/webhooks/{webhook['webhook_id']}", json={"url": receiver.url})
        await api.post(f"/deliveries/{wrong['delivery_id']}/redeliver")
        right = await settled(api, prediction_id)
        assert (right["state"], right["url"]) == ("delivered", receiver.url)
    assert len(receiver.received) == 1


async def test_one_that_is_disabled_while_a_delivery_is_pending_is_not_told(
    api: RunningApi, receiver: Receiver
) -> None:
    """The delivery fails without an attempt over the network."""
    webhook = await register(api, receiver.url)
    prediction_id = await told(api)

    async def pending() -> bool:
        return bool(await deliveries(api, prediction_id))

    await wait_until(pending)
    await api.patch(f"/webhooks/{webhook['webhook_id']}", json={"disabled": True})
    async with delivering(api.services.queue, api.settings):
        delivery = await settled(api, prediction_id)
    assert delivery["state"] == "failed"
    assert "disabled" in delivery["log"][0]["error"]
    assert receiver.connections == 0
