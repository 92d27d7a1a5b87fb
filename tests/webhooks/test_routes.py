"""The routes about webhooks."""

import pytest

from tests.api.running import RunningApi
from tests.webhooks.steps import ASYNC, register
from zypher_jobs.queue import keys


async def test_a_webhook_is_registered_listed_read_and_deleted(api: RunningApi) -> None:
    """Its secret is said once; later it is said how it begins."""
    webhook = await register(api, "https://example.com/hook", events=["prediction.failed"], description="ours")
    path = f"/webhooks/{webhook['webhook_id']}"
    secret = webhook.pop("secret")
    assert secret.startswith("whsec_")
    assert (await api.get(path)).json() == webhook
    assert (await api.get("/webhooks")).json() == {"webhooks": [webhook]}
    hint = await api.get(path + "/secret")
    assert hint.json() == {"webhook_id": webhook["webhook_id"], "secret_begins": secret[:10], "previous_until": None}
    assert secret not in hint.text
    assert (await api.get(path + "/deliveries")).json() == {"deliveries": []}
    assert (await api.delete(path)).json() == {"webhooks": []}
    for gone in (await api.get(path), await api.get(path + "/secret"), await api.delete(path)):
        assert (gone.status_code, gone.json()["code"]) == (404, "unknown_webhook")


async def test_the_secret_of_direct_webhooks_stays_until_it_is_rotated(api: RunningApi) -> None:
    """It is shown when it is made, and never again."""
    first = (await api.post("/webhooks/direct/secret")).json()
    assert first["previous_until"] is None
    for _ in range(2):
        assert (await api.get("/webhooks/direct/secret")).json()["secret_begins"] == first["secret"][:10]
    second = (await api.post("/webhooks/direct/secret")).json()
    assert second["secret"] != first["secret"]
    assert second["previous_until"] is not None


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 422, "$"),
        ({"url": 5}, 422, "$.url"),
        ({"url": "https://example.com", "events": ["prediction.begun"]}, 422, "$.events[0]"),
        ({"url": "https://example.com", "secret": "mine"}, 422, "$"),
        ([], 422, "$"),
    ],
)
async def test_what_cannot_be_registered_is_refused_with_its_field(
    api: RunningApi, body: object, status: int, field: str
) -> None:
    """422, and which."""
    answer = await api.post("/webhooks", json=body)
    assert (answer.status_code, answer.json()["field"]) == (status, field)


async def test_no_more_webhooks_are_registered_than_every_end_can_look_at(api: RunningApi) -> None:
    """409 then."""
    for _ in range(keys.WEBHOOKS_KEPT):
        await register(api, "https://example.com/hook")
    answer = await api.post("/webhooks", json={"url": "https://example.com/hook"})
    assert answer.status_code == 409


async def test_a_webhook_is_for_a_prediction_that_is_answered_later(api: RunningApi) -> None:
    """A synchronous request says so, as one with an event that there is not."""
    url = {"Webhook-Url": "https://example.com/hook"}
    now = await api.post("/predict", json={"input": "a"}, headers=url)
    assert (now.status_code, now.json()["field"]) == (400, "Webhook-Url")
    wrong = await api.post("/predict", json={"input": "a"}, headers=ASYNC | url | {"Webhook-Events": "begun"})
    assert (wrong.status_code, wrong.json()["field"]) == (400, "Webhook-Events")


async def test_a_delivery_that_there_is_not_is_404(api: RunningApi) -> None:
    """Read or redelivered."""
    for answer in (await api.get("/deliveries/x"), await api.post("/deliveries/x/redeliver")):
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_delivery")
    wrong = await api.get("/webhooks/wh_x/deliveries?limit=0")
    assert (wrong.status_code, wrong.json()["field"]) == (400, "limit")
