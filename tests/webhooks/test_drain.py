"""A process that ends hands back what it could not deliver, at once."""

from contextlib import AsyncExitStack

import msgspec

from tests.api.running import RunningApi
from tests.webhooks.receiver import Receiver, answer
from tests.webhooks.steps import deliveries, settled, submit
from zypher_jobs.testing import wait_until
from zypher_jobs.webhooks import deliverer
from zypher_jobs.webhooks.delivering import delivering


async def test_a_delivery_under_way_is_handed_back_and_not_left_to_its_lease(
    api: RunningApi, receiver: Receiver
) -> None:
    """The lease is a minute; the next process has it in a moment, and no attempt was used up."""
    receiver.says = [None, answer()]
    slow = msgspec.structs.replace(api.settings, webhook_timeout_s=60)
    async with delivering(api.services.queue, slow):
        prediction_id = await submit(api, receiver.url)
        await wait_until(lambda: receiver.received)
    (waits,) = await deliveries(api, prediction_id)
    assert (waits["state"], waits["attempts"], waits["log"]) == ("pending", 0, [])
    async with delivering(api.services.queue, slow):
        delivery = await settled(api, prediction_id)
    assert (delivery["state"], delivery["attempts"]) == ("delivered", 1)
    assert receiver.received[0].body == receiver.received[1].body


async def test_another_process_that_runs_already_takes_it_over(api: RunningApi, receiver: Receiver) -> None:
    """It is told that there is something to be had."""
    receiver.says = [None, answer()]
    slow = msgspec.structs.replace(api.settings, webhook_timeout_s=60)
    async with AsyncExitStack() as ends:
        await ends.enter_async_context(delivering(api.services.queue, slow))
        prediction_id = await submit(api, receiver.url)
        await wait_until(lambda: receiver.received)
        async with delivering(api.services.queue, slow):
            await ends.aclose()
            assert (await settled(api, prediction_id))["attempts"] == 1
    assert len(receiver.received) == 2


async def test_a_delivery_that_is_about_to_be_answered_is_finished(api: RunningApi, receiver: Receiver) -> None:
    """The receiver gets it once."""
    receiver.answers.clear()
    async with delivering(api.services.queue, api.settings):
        prediction_id = await submit(api, receiver.url)
        await wait_until(lambda: receiver.received)
        receiver.answers.set()
    (delivery,) = await deliveries(api, prediction_id)
    assert (delivery["state"], delivery["attempts"]) == ("delivered", 1)
    assert len(receiver.received) == 1
    assert deliverer.DRAIN_S < deliverer.MARGIN_S
