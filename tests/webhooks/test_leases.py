"""What is to be delivered outlives whoever was to deliver it."""

import msgspec

from tests.api.running import RunningApi
from tests.webhooks.receiver import Receiver, answer
from tests.webhooks.steps import deliveries, settled, submit
from zypher_jobs.contracts.webhook import DeliveryState
from zypher_jobs.queue import keys
from zypher_jobs.queue.connection import RedisClient
from zypher_jobs.testing import wait_until
from zypher_jobs.webhooks.delivering import delivering


async def ended(api: RunningApi, url: str) -> str:
    """A prediction that has ended and was not told."""
    prediction_id = await submit(api, url)
    await api.services.queue.wait_for(prediction_id, 20)
    (delivery,) = await deliveries(api, prediction_id)
    assert delivery["state"] == "pending"
    assert delivery["attempts"] == 0
    return prediction_id


async def test_what_ended_while_nobody_delivered_is_delivered_later(api: RunningApi, receiver: Receiver) -> None:
    """The end and the delivery were written in one step."""
    prediction_id = await ended(api, receiver.url)
    async with delivering(api.services.queue, api.settings):
        assert (await settled(api, prediction_id))["state"] == "delivered"


async def test_a_claim_whose_process_died_lapses_and_its_report_counts_no_more(
    api: RunningApi, receiver: Receiver
) -> None:
    """Another one takes it up; the late report of the first is refused."""
    prediction_id = await ended(api, receiver.url)
    webhooks = api.services.webhooks
    (first,), _ = await webhooks.claim(room=10, lease_s=0.2)
    assert (await webhooks.claim(room=10, lease_s=60))[0] == []

    async def lapsed() -> bool:
        claimed, _ = await webhooks.claim(room=10, lease_s=0)
        return [each.delivery_id for each in claimed] == [first.delivery_id]

    await wait_until(lapsed)
    assert not await webhooks.report(first, DeliveryState.DELIVERED)
    async with delivering(api.services.queue, api.settings):
        assert (await settled(api, prediction_id))["state"] == "delivered"


async def test_a_receiver_that_hangs_is_left_after_the_time_out(api: RunningApi, receiver: Receiver) -> None:
    """And tried again."""
    receiver.says = [None, answer()]
    async with delivering(api.services.queue, msgspec.structs.replace(api.settings, webhook_timeout_s=0.5)):
        delivery = await settled(api, await submit(api, receiver.url))
    assert delivery["state"] == "delivered"
    assert delivery["log"][0]["error"] == "No answer within 0.5 s."


async def test_a_dead_receiver_does_not_fill_redis(api: RunningApi, receiver: Receiver) -> None:
    """What comes when too many are pending has failed at once, says so, and is delivered once more when asked."""
    redis: RedisClient = api.services.queue
    later_ms = 1e15
    for start in range(0, keys.DELIVERIES_PENDING, 20_000):
        await redis.zadd(keys.DELIVERIES, {f"x{number}": later_ms for number in range(start, start + 20_000)})
    async with delivering(api.services.queue, api.settings):
        prediction_id = await submit(api, receiver.url)
        refused = await settled(api, prediction_id)
        assert (refused["state"], refused["attempts"]) == ("failed", 0)
        assert "100,000 deliveries were pending already" in refused["log"][0]["error"]
        assert await redis.zcard(keys.DELIVERIES) == keys.DELIVERIES_PENDING
        await redis.zremrangebyrank(keys.DELIVERIES, 0, 10)
        await api.post(f"/deliveries/{refused['delivery_id']}/redeliver")
        again = await settled(api, prediction_id)
        assert (again["state"], [attempt["status"] for attempt in again["log"]]) == ("delivered", [200])
        assert (await settled(api, await submit(api, receiver.url)))["state"] == "delivered"
