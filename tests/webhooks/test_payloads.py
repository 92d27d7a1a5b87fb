"""What is sent, and which predictions it is sent of."""

from typing import Any

import pytest

from tests.api.running import RunningApi
from tests.webhooks.receiver import Receiver
from tests.webhooks.steps import ASYNC, settled, submit
from zypher_jobs.contracts.webhook import MOST_BODY_BYTES
from zypher_jobs.testing import wait_until

pytestmark = pytest.mark.usefixtures("delivers")
INFER: dict[str, Any] = {
    "inputs": [{"name": "input", "datatype": "BYTES", "shape": [3], "data": ["first", "second", "third"]}]
}


async def test_an_output_that_is_too_large_is_left_out_and_can_be_read(api: RunningApi, receiver: Receiver) -> None:
    """What is kept for days has a bound; one that just fits is sent as it is."""
    secret = (await api.post("/webhooks/direct/secret")).json()["secret"]
    for size, omitted in ((MOST_BODY_BYTES // 2, False), (MOST_BODY_BYTES, True)):
        prediction_id = await submit(api, receiver.url, path="/models/long/predict", json={"chars": size})
        await settled(api, prediction_id)
        received = receiver.received[-1]
        whole = (await api.get(received.json["location"])).json()
        assert received.json["output_omitted"] is omitted
        assert received.json["data"] == (whole | {"output": None} if omitted else whole)
        assert len(received.body) <= MOST_BODY_BYTES
        assert received.is_signed_with(secret)
        assert len(whole["output"]) == size


async def test_each_prediction_of_an_inference_is_told(api: RunningApi, receiver: Receiver) -> None:
    """The Open Inference Protocol takes the same headers, for one prediction and for many."""
    for count in (3, 1):
        receiver.received.clear()
        inputs = [INFER["inputs"][0] | {"shape": [count], "data": INFER["inputs"][0]["data"][:count]}]
        headers = ASYNC | {"Webhook-Url": receiver.url, "Webhook-Events": "completed"}
        answer = await api.post("/v2/models/mock/infer", json={"inputs": inputs}, headers=headers)
        assert answer.status_code == 202, answer.text
        accepted = answer.json()["predictions"] if count > 1 else [answer.json()]
        await wait_until(lambda count=count: len(receiver.received) == count)
        told = {received.json["data"]["prediction_id"] for received in receiver.received}
        assert told == {each["prediction_id"] for each in accepted}


async def test_a_generation_is_told(api: RunningApi, receiver: Receiver) -> None:
    """``generate``, and ``generate_stream`` where it is answered later."""
    for path in ("generate", "generate_stream"):
        headers = ASYNC | {"Webhook-Url": receiver.url}
        answer = await api.post(f"/v2/models/raises/{path}", json={"text_input": path}, headers=headers)
        assert answer.status_code == 202, answer.text
        prediction_id = answer.json()["prediction_id"]
        await settled(api, prediction_id)
        told = receiver.received[-1].json["data"]
        assert (told["prediction_id"], told["error"]["message"]) == (prediction_id, f"ValueError: {path}")


async def test_an_inference_that_is_answered_at_once_has_no_webhook(api: RunningApi) -> None:
    """As with ``/predict``."""
    answer = await api.post("/v2/models/mock/infer", json=INFER, headers={"Webhook-Url": "https://example.com/hook"})
    assert answer.status_code == 400
    assert "Prefer: respond-async" in answer.text


async def test_a_bulk_submit_has_a_webhook_for_each(api: RunningApi, receiver: Receiver) -> None:
    """Told once each."""
    submitted = await api.services.queue.submit_many("mock", [{"input": "a"}, {"input": "b"}], webhook=receiver.url)
    await wait_until(lambda: len(receiver.received) == 2)
    told = {received.json["data"]["prediction_id"] for received in receiver.received}
    assert told == {each.prediction_id for each in submitted}


async def test_a_replay_is_told_to_the_webhook_of_the_first(api: RunningApi, receiver: Receiver) -> None:
    """With the events that it had, and the id of the prediction that it repeats."""
    first = await submit(api, receiver.url, "failed", path="/models/raises/predict", json={"text": "x"})
    await settled(api, first)
    replayed = await api.services.queue.replay(first)
    await settled(api, replayed.prediction_id)
    assert [received.json["data"]["replay_of"] for received in receiver.received] == [None, first]
    assert receiver.received[1].json["data"]["prediction_id"] == replayed.prediction_id
