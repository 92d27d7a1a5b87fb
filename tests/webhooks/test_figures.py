"""What ``/metrics`` says of deliveries: the same in every API process, whoever delivered."""

import msgspec
import pytest

from tests.api.running import RunningApi, running_api
from tests.webhooks.receiver import Receiver, answer
from tests.webhooks.steps import deliveries, register, settled, submit
from zypher_jobs.queue import keys
from zypher_jobs.settings import Settings
from zypher_jobs.testing import free_port, wait_until
from zypher_jobs.webhooks.delivering import delivering

ENDED = "zypher_webhook_deliveries_total"
ATTEMPTS = "zypher_webhook_attempt_duration_seconds"
PENDING = "zypher_webhook_deliveries_pending"


async def test_deliveries_are_counted_by_how_they_end(
    api: RunningApi, webhook_settings: Settings, receiver: Receiver
) -> None:
    """By two processes that deliver, and in both APIs; attempts by how they went and how long they took."""
    other = msgspec.structs.replace(webhook_settings, port=free_port())
    async with running_api(other) as second:
        waits = await submit(api, receiver.url)

        async def waits_for_a_deliverer() -> bool:
            return await second.metric(PENDING) == 1

        await wait_until(waits_for_a_deliverer)
        async with delivering(api.services.queue, api.settings), delivering(second.services.queue, second.settings):
            assert (await settled(api, waits))["state"] == "delivered"
            receiver.says = [answer(500)]
            assert (await settled(api, await submit(api, receiver.url)))["state"] == "failed"
            receiver.says = [answer()]
            assert (await settled(api, await submit(api, receiver.url)))["state"] == "delivered"
        for of in (api, second):
            assert await of.metric(f'{ENDED}{{outcome="delivered"}}') == 2
            assert await of.metric(f'{ENDED}{{outcome="failed"}}') == 1
            assert await of.metric(f'{ATTEMPTS}_count{{outcome="succeeded"}}') == 2
            assert await of.metric(f'{ATTEMPTS}_count{{outcome="failed"}}') == 4  # with its three retries
            assert await of.metric(f'{ATTEMPTS}_sum{{outcome="failed"}}') > 0
            assert await of.metric(PENDING) == 0
        assert receiver.received


@pytest.mark.usefixtures("delivers")
async def test_what_was_not_tried_is_no_attempt(api: RunningApi, receiver: Receiver) -> None:
    """A delivery to a webhook that is no more has failed, without a POST."""
    receiver.says = [answer(500)]
    webhook = await register(api, receiver.url)
    prediction = await api.post("/predict", json={"input": "x"}, headers={"Prefer": "respond-async"})
    prediction_id = prediction.json()["prediction_id"]
    await wait_until(lambda: len(receiver.received))
    assert (await deliveries(api, prediction_id))[0]["webhook_id"] == webhook["webhook_id"]
    await api.delete(f"/webhooks/{webhook['webhook_id']}")

    async def has_failed() -> bool:
        return await api.metric(f'{ENDED}{{outcome="failed"}}') == 1

    await wait_until(has_failed)
    assert await api.metric(f'{ATTEMPTS}_count{{outcome="failed"}}') == len(receiver.received)


async def test_what_comes_on_top_of_too_many_is_refused(api: RunningApi, receiver: Receiver) -> None:
    """Counted, and not tried."""
    redis = api.services.queue
    await redis.zadd(keys.DELIVERIES, {f"other-{number}": 1e15 for number in range(keys.DELIVERIES_PENDING)})
    assert (await settled(api, await submit(api, receiver.url)))["state"] == "failed"
    assert await api.metric(f'{ENDED}{{outcome="refused"}}') == 1
    assert await api.metric(f'{ENDED}{{outcome="failed"}}') == 0
    assert await api.metric(PENDING) == keys.DELIVERIES_PENDING
