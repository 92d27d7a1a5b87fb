"""Deliveries: what receivers get, and what becomes of those that fail, hang, redirect or have gone."""

import asyncio

import pytest

from tests.api.running import RunningApi
from tests.webhooks.receiver import Received, Receiver, answer, receiving
from tests.webhooks.steps import ASYNC, deliveries, register, settled, submit
from zypher_jobs.contracts.trace import read_trace
from zypher_jobs.testing import wait_until
from zypher_jobs.webhooks.delivering import delivering

pytestmark = pytest.mark.usefixtures("delivers")


def with_header(received: Received, name: str, value: str) -> Received:
    """It with another header."""
    return received._replace(headers=received.headers | {name: value})


async def test_the_end_of_a_prediction_is_told_signed_and_as_it_is_read(api: RunningApi, receiver: Receiver) -> None:
    """By the headers of its request: type, time, and what GET shows."""
    secret = (await api.post("/webhooks/direct/secret")).json()["secret"]
    prediction_id = await submit(api, receiver.url)
    delivery = await settled(api, prediction_id)
    (received,) = receiver.received
    assert delivery["state"] == "delivered"
    assert [attempt["status"] for attempt in delivery["log"]] == [200]
    assert received.is_signed_with(secret)
    assert received.headers["webhook-id"] == delivery["delivery_id"]
    assert received.headers["content-type"] == "application/json"
    assert received.json["type"] == "prediction.succeeded"
    assert received.json["data"] == (await api.get(f"/predict/{prediction_id}")).json()
    assert received.json["timestamp"] == received.json["data"]["finished_at"]
    assert (await api.get(received.json["location"])).json() == received.json["data"]
    assert received.json["output_omitted"] is False


async def test_a_receiver_is_told_in_which_trace_it_was_asked_for(api: RunningApi, receiver: Receiver) -> None:
    """At each attempt, under a parent id of that attempt; the state is passed on as it came."""
    receiver.says = [answer(500), answer(204)]
    sent = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "tracestate": "congo=t61"}
    accepted = await api.post("/predict", json={"input": "hello"}, headers=ASYNC | {"Webhook-Url": receiver.url} | sent)
    await settled(api, accepted.json()["prediction_id"])
    traces = [read_trace(received.headers["traceparent"]) for received in receiver.received]
    assert {trace.trace_id for trace in traces if trace} == {"4bf92f3577b34da6a3ce929d0e0e4736"}
    assert len({"00f067aa0ba902b7", *(trace.parent_id for trace in traces if trace)}) == 3
    assert {received.headers["tracestate"] for received in receiver.received} == {"congo=t61"}
    untraced = await settled(api, await submit(api, receiver.url))
    assert receiver.received[-1].headers["webhook-id"] == untraced["delivery_id"]
    assert "traceparent" not in receiver.received[-1].headers


async def test_a_receiver_that_fails_gets_the_same_again_until_it_takes_it(api: RunningApi, receiver: Receiver) -> None:
    """The same id and body, each time signed anew; the log has each attempt."""
    secret = (await api.post("/webhooks/direct/secret")).json()["secret"]
    receiver.says = [answer(500, b"\x1b[31mbroken"), answer(503), answer(204)]
    delivery = await settled(api, await submit(api, receiver.url))
    assert delivery["state"] == "delivered"
    assert delivery["attempts"] == 3
    assert [attempt["status"] for attempt in delivery["log"]] == [500, 503, 204]
    assert all(received.is_signed_with(secret) for received in receiver.received)
    assert delivery["log"][0]["response"] == "[31mbroken"
    assert len({received.headers["webhook-id"] for received in receiver.received}) == 1
    assert len({received.body for received in receiver.received}) == 1


async def test_after_the_last_pause_a_delivery_has_failed_and_can_be_had_once_more(
    api: RunningApi, receiver: Receiver
) -> None:
    """One attempt more than there are pauses; a redelivery begins anew."""
    receiver.says = [answer(500)]
    prediction_id = await submit(api, receiver.url)
    delivery = await settled(api, prediction_id)
    assert delivery["state"] == "failed"
    assert delivery["attempts"] == 4
    receiver.says = [answer()]
    again = await api.post(f"/deliveries/{delivery['delivery_id']}/redeliver")
    assert again.status_code == 202
    assert (await settled(api, prediction_id))["state"] == "delivered"
    assert receiver.received[-1].body == receiver.received[0].body


async def test_a_redirect_is_not_followed(api: RunningApi, receiver: Receiver) -> None:
    """Not even to where deliveries may go: it counts as a failure."""
    async with receiving() as elsewhere:
        receiver.says = [answer(307, location=elsewhere.url)]
        delivery = await settled(api, await submit(api, receiver.url))
        assert delivery["state"] == "failed"
        assert delivery["log"][0]["error"] == "It answered 307: a redirect, which is not followed."
        assert elsewhere.connections == 0


async def test_a_connection_that_closes_half_way_is_tried_again(api: RunningApi, receiver: Receiver) -> None:
    """Before the status it is a failure; behind a 2xx it was taken."""
    receiver.says = [b"HTTP/1.1 20", b"", b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nten"]
    delivery = await settled(api, await submit(api, receiver.url))
    assert delivery["state"] == "delivered"
    assert [attempt.get("status") for attempt in delivery["log"]] == [None, None, 200]
    assert all(attempt["error"] for attempt in delivery["log"][:2])


async def test_a_receiver_that_answers_without_end_is_cut_off(api: RunningApi, receiver: Receiver) -> None:
    """Of what it says only the beginning is read."""
    receiver.says = [answer(500, b"x" * 5_000_000), answer()]
    delivery = await settled(api, await submit(api, receiver.url))
    assert delivery["state"] == "delivered"
    assert 0 < len(delivery["log"][0]["response"]) <= 500


async def test_410_ends_a_delivery_and_disables_a_registered_webhook(api: RunningApi, receiver: Receiver) -> None:
    """It is told nothing more; one that came with a prediction is only not tried again."""
    receiver.says = [answer(410)]
    webhook = await register(api, receiver.url)
    prediction_id = (await api.post("/predict", json={"input": "a"}, headers={"Async-Mode": "true"})).json()[
        "prediction_id"
    ]
    assert (await settled(api, prediction_id))["state"] == "failed"
    assert (await api.get(f"/webhooks/{webhook['webhook_id']}")).json()["disabled_at"] is not None
    direct = await submit(api, receiver.url)
    assert (await settled(api, direct))["attempts"] == 1
    assert [each["webhook_id"] for each in await deliveries(api, direct)] == ["direct"]
    assert len(receiver.received) == 2


async def test_a_receiver_that_hangs_delays_neither_predictions_nor_others(api: RunningApi, receiver: Receiver) -> None:
    """Forty deliveries hang; a prediction runs, and its webhook is told."""
    receiver.says = [None]
    for _ in range(40):
        await submit(api, receiver.url)
    async with receiving() as other:
        delivery = await settled(api, await submit(api, other.url))
        assert delivery["state"] == "delivered"
    await wait_until(lambda: receiver.received)


async def test_only_the_events_that_were_asked_for_are_told(api: RunningApi, receiver: Receiver) -> None:
    """Of its own webhook and of a registered one; by model, too."""
    await register(api, receiver.url + "/of-raises", models=["raises"], events=["prediction.failed"])
    await register(api, receiver.url + "/of-success", events=["prediction.succeeded"])
    await submit(api, receiver.url + "/own-failed", "failed, prediction.canceled")
    await submit(api, receiver.url + "/own-completed", "completed")
    await submit(api, receiver.url + "/raises", "prediction.failed", path="/models/raises/predict", json={"text": "x"})
    await wait_until(lambda: len(receiver.received) >= 5)
    assert sorted(received.path for received in receiver.received) == [
        "/hook/of-raises",
        "/hook/of-success",
        "/hook/of-success",
        "/hook/own-completed",
        "/hook/raises",
    ]


async def test_a_rotated_secret_signs_beside_the_new_one(api: RunningApi, receiver: Receiver) -> None:
    """So that receivers can change it at their leisure."""
    webhook = await register(api, receiver.url)
    rotated = (await api.post(f"/webhooks/{webhook['webhook_id']}/secret")).json()
    assert rotated["secret"] != webhook["secret"]
    assert rotated["previous_until"] is not None
    await api.post("/predict", json={"input": "a"}, headers={"Async-Mode": "true"})
    await wait_until(lambda: receiver.received)
    (received,) = receiver.received
    assert received.is_signed_with(webhook["secret"])
    assert received.is_signed_with(rotated["secret"])
    assert not received.is_signed_with("whsec_AAAA")
    for changed in (received._replace(body=received.body + b" "), with_header(received, "webhook-timestamp", "1")):
        assert not changed.is_signed_with(rotated["secret"])


async def test_several_processes_deliver_each_once(api: RunningApi, receiver: Receiver) -> None:
    """They share the queue by leases."""
    async with delivering(api.services.queue, api.settings), delivering(api.services.queue, api.settings):
        ids = await asyncio.gather(*(submit(api, receiver.url) for _ in range(30)))
        for prediction_id in ids:
            assert (await settled(api, prediction_id))["attempts"] == 1
    assert len(receiver.received) == 30
    assert len({received.headers["webhook-id"] for received in receiver.received}) == 30


async def test_a_canceled_prediction_is_told_too(api: RunningApi, receiver: Receiver) -> None:
    """Whatever ends it ends it for its webhook."""
    await api.services.queue.pause()
    prediction_id = await submit(api, receiver.url)
    await api.services.queue.cancel(prediction_id)
    await settled(api, prediction_id)
    assert receiver.received[0].json["type"] == "prediction.canceled"
    assert receiver.received[0].json["data"]["status"] == "canceled"
