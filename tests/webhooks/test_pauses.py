"""How long deliveries wait."""

from datetime import UTC, datetime

import msgspec
import pytest

from tests.api.running import RunningApi
from tests.webhooks.receiver import Receiver, answer
from tests.webhooks.steps import deliveries, settled, submit
from zypher_jobs.contracts.webhook import DeliveryAttempt, WebhookEvent
from zypher_jobs.queue import keys
from zypher_jobs.queue.connection import RedisClient
from zypher_jobs.queue.webhook_rows import ClaimedDelivery
from zypher_jobs.settings import Pauses
from zypher_jobs.testing import wait_until
from zypher_jobs.webhooks import pauses
from zypher_jobs.webhooks.delivering import delivering
from zypher_jobs.webhooks.pauses import LONGEST_ASKED_S, asked_pause_s, put_back_s, retry_pause_s

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "said", "pause_s"),
    [
        *((503, "120", 120), (429, " 0 ", 0), (503, "Wed, 25 Nov 2026 12:00:30 GMT", 30)),
        *((503, "Wed, 25 Nov 2026 11:00:00 GMT", 0), (503, "Wednesday, 25-Nov-26 12:00:30 GMT", 30)),
        *((503, "", None), (503, "soon", None), (503, "-5", None), (503, "1.5", None), (503, "9" * 400, 999_999_999)),
        *((500, "120", None), (301, "120", None), (410, "120", None)),
    ],
)
def test_retry_after_is_read_in_both_forms(status: int, said: str, pause_s: float | None) -> None:
    """Of 429 and 503; what is neither seconds nor a date says nothing."""
    assert asked_pause_s(status, said, now=NOW) == pause_s


@pytest.mark.parametrize(
    ("asked_s", "pause_s"), [(None, 300), (1, 300), (900, 900), (10 * LONGEST_ASKED_S, LONGEST_ASKED_S)]
)
def test_a_receiver_can_put_a_delivery_off_and_not_bring_it_forward(asked_s: float | None, pause_s: float) -> None:
    """By a day at most."""
    attempt = DeliveryAttempt(at=NOW, duration_ms=1, status=503, error="It answered 503.", retry_after_s=asked_s)
    assert pause_s <= retry_pause_s(1, (5, 300, 1800), attempt) <= 1.1 * pause_s


async def test_the_retry_after_of_a_receiver_decides_when_it_is_tried_again(
    api: RunningApi, receiver: Receiver
) -> None:
    """Not the schedule's 50 ms; the log says what it asked for."""
    receiver.says = [answer(429, retry_after="3600")]
    async with delivering(api.services.queue, api.settings):
        prediction_id = await submit(api, receiver.url)

        async def has_failed_once() -> bool:
            found = await deliveries(api, prediction_id)
            return bool(found) and found[0]["attempts"] > 0

        await wait_until(has_failed_once)
    (delivery,) = await deliveries(api, prediction_id)
    assert delivery["log"][0]["retry_after_s"] == 3600
    waits = datetime.fromisoformat(delivery["next_attempt_at"]) - datetime.fromisoformat(delivery["log"][0]["at"])
    assert 3600 <= waits.total_seconds() <= 4000


async def test_without_a_retry_after_the_schedule_holds(api: RunningApi, receiver: Receiver) -> None:
    """Each pause in its turn."""
    receiver.says = [answer(500), answer(503), answer()]
    settings = msgspec.structs.replace(api.settings, webhook_retry_s=Pauses((0.2, 0.6)))
    async with delivering(api.services.queue, settings):
        delivery = await settled(api, await submit(api, receiver.url))
    first, second, third = (datetime.fromisoformat(attempt["at"]) for attempt in delivery["log"])
    assert (second - first).total_seconds() >= 0.2
    assert (third - second).total_seconds() >= 0.6


@pytest.mark.parametrize(("claim", "longest_s"), [(1, 1), (2, 2), (3, 4), (6, 32), (7, 64), (30, 64)])
def test_one_whose_host_is_busy_is_looked_at_less_and_less_often(claim: int, longest_s: float) -> None:
    """From a second to a minute, so that thousands that wait for one dead host cost next to nothing."""
    waits = ClaimedDelivery(
        delivery_id="a-direct",
        claim=claim + 2,
        webhook_id="direct",
        prediction_id="a",
        type=WebhookEvent.SUCCEEDED,
        url="http://example.com/",
        attempts=2,
        step=2,
        caller="",
        log=[],
        body=None,
    )
    assert longest_s / 2 <= put_back_s(waits) <= longest_s


async def test_each_time_that_it_is_put_back_its_pause_doubles(
    api: RunningApi, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the real deliverer: sixteen hang, the others wait, longer each time that their turn comes."""
    monkeypatch.setattr(pauses, "PUT_BACK_S", 1000.0)  # no pause ends by itself, and each is longer than a lease
    receiver.says = [None]
    redis: RedisClient = api.services.queue
    async with delivering(api.services.queue, msgspec.structs.replace(api.settings, webhook_timeout_s=300)):
        ids = [await submit(api, receiver.url) for _ in range(17)]
        await wait_until(lambda: len(receiver.received) == 16, timeout_s=30)
        told = {received.json["data"]["prediction_id"] for received in receiver.received}
        (waits,) = set(ids) - told
        delivery_id = f"{waits}-direct"
        for claim, longest_s in enumerate((1000, 2000, 4000, 8000), start=1):

            async def pause_s(claim: int = claim) -> float | None:
                number, due_ms = await _claim_and_due(redis, delivery_id)
                pause_s = due_ms / 1000 - (await redis.time())[0]
                return pause_s if number == claim and pause_s > 400 else None

            found_s = await wait_until(pause_s, timeout_s=30)
            assert found_s is not None
            assert longest_s / 2 - 60 < found_s <= longest_s + 1
            await redis.zadd(keys.DELIVERIES, {delivery_id: 0})
            await redis.publish(keys.DELIVER, "")


async def _claim_and_due(redis: RedisClient, delivery_id: str) -> tuple[int, float]:
    claim = await redis.hget(keys.delivery(delivery_id), "claim")
    return int(claim or 0), await redis.zscore(keys.DELIVERIES, delivery_id) or 0
