"""Each API key has its own secret for the webhooks that it gives with its predictions."""

import pytest

from tests.api.running import RunningApi
from tests.api.test_keys import bearer, made
from tests.webhooks.receiver import Receiver
from tests.webhooks.steps import register, submit
from zypher_jobs.queue import keys
from zypher_jobs.queue.connection import RedisClient
from zypher_jobs.testing import wait_until

DIRECT = "/webhooks/direct/secret"


@pytest.mark.usefixtures("delivers")
async def test_no_caller_can_have_another_ones_receiver_believe_it(api: RunningApi, receiver: Receiver) -> None:
    """What one sends to the receiver of the other is signed as its own."""
    admin = await made(api, "admin", "admin")
    tokens = [await made(api, name, "predict", by=admin) for name in ("one", "other")]
    secrets = [(await api.post(DIRECT, headers=bearer(token))).json()["secret"] for token in tokens]
    for number, token in enumerate(tokens):
        await submit(api, receiver.url, headers=bearer(token))
        await wait_until(lambda number=number: len(receiver.received) > number)
        received = receiver.received[number]
        assert [received.is_signed_with(secret) for secret in secrets] == [number == 0, number == 1]


@pytest.mark.usefixtures("delivers")
async def test_a_caller_that_never_asked_for_its_secret_is_told_all_the_same(
    api: RunningApi, receiver: Receiver
) -> None:
    """Signed by what nobody knows, and nothing is kept of it."""
    await submit(api, receiver.url)
    await wait_until(lambda: receiver.received)
    assert receiver.received[0].headers["webhook-signature"].startswith("v1,")
    redis: RedisClient = api.services.queue
    assert await redis.hlen(keys.WEBHOOK_SECRETS) == 0


async def test_a_key_that_may_only_predict_has_its_own_secret_and_no_other(api: RunningApi) -> None:
    """Those of registered webhooks are for operators; another key's is nobody else's."""
    webhook = await register(api, "https://example.com/hook")
    admin = await made(api, "admin", "admin")
    predict = bearer(await made(api, "shop", "predict", by=admin))
    mine = (await api.post(DIRECT, headers=predict)).json()
    assert mine["webhook_id"] == "direct"
    assert (await api.get(DIRECT, headers=predict)).json()["secret_begins"] == mine["secret"][:10]
    assert (await api.get(DIRECT, headers=bearer(admin))).json()["secret_begins"] != mine["secret"][:10]
    registered = f"/webhooks/{webhook['webhook_id']}/secret"
    key_id = next(key["key_id"] for key in await keys_of(api, admin) if key["name"] == "shop")
    others = f"/webhooks/direct:{key_id}/secret"
    for ask in (api.get, api.post):
        assert (await ask(registered, headers=predict)).status_code == 403
        assert (await ask(registered, headers=bearer(admin))).status_code == 200
        assert (await ask(others, headers=predict)).status_code == 403
        assert (await ask(others, headers=bearer(admin))).status_code == 404


async def test_a_revoked_key_takes_its_secret_along(api: RunningApi) -> None:
    """Nothing is left of it."""
    admin = await made(api, "admin", "admin")
    shop = await made(api, "shop", "predict", by=admin)
    await api.post(DIRECT, headers=bearer(shop))
    redis: RedisClient = api.services.queue
    assert await redis.hlen(keys.WEBHOOK_SECRETS) == 1
    await api.delete("/keys/shop", headers=bearer(admin))
    assert await redis.hlen(keys.WEBHOOK_SECRETS) == 0


async def keys_of(api: RunningApi, admin: str) -> list[dict[str, str]]:
    """All keys as they are listed."""
    return (await api.get("/keys", headers=bearer(admin))).json()["keys"]
