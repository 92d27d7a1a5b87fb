"""``verify_webhook``: against what the library of Standard Webhooks signs, and against what the API sends."""

import base64
import json
import time
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from standardwebhooks import Webhook

from tests.api.running import running_api, running_worker
from tests.webhooks.receiver import receiving
from tests.webhooks.steps import register
from zypher_api.client import AsyncClient, InvalidSignature, Status, verify_webhook
from zypher_jobs.settings import Settings
from zypher_jobs.testing import wait_until
from zypher_jobs.webhooks.delivering import delivering

OLD = "whsec_" + base64.b64encode(b"o" * 24).decode()
NEW = "whsec_" + base64.b64encode(b"n" * 32).decode()
BODY = json.dumps(
    {
        "type": "prediction.succeeded",
        "timestamp": "2026-11-25T12:00:01Z",
        "location": "/predict/p1",
        "data": {
            "prediction_id": "p1",
            "status": "succeeded",
            "model": "mock",
            "mode": "async",
            "output": [1],
            "created_at": "2026-11-25T12:00:00Z",
        },
    }
).encode()


def signed(*secrets: str, age_s: float = 0, body: bytes = BODY) -> dict[str, str]:
    """Headers, with a signature by each secret."""
    at = datetime.now(UTC) - timedelta(seconds=age_s)
    signatures = [Webhook(secret).sign("msg_1", at, body.decode()) for secret in secrets]
    return {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(int(at.timestamp())),
        "Webhook-Signature": " ".join(signatures),
    }


@pytest.mark.parametrize("secret", [OLD, OLD.removeprefix("whsec_"), [NEW, OLD], (OLD,)], ids=repr)
def test_what_is_signed_is_read(secret: str | list[str]) -> None:
    """With the secret, with or without its prefix, or with one of several."""
    payload = verify_webhook(BODY, signed(OLD), secret)
    assert (payload.type, payload.data.prediction_id, payload.data.output) == ("prediction.succeeded", "p1", [1])
    assert payload.data.status is Status.SUCCEEDED


def test_one_of_several_signatures_is_enough() -> None:
    """While a secret is being replaced both sign; of another scheme's signatures nothing is thought."""
    headers = signed(OLD, NEW)
    headers["Webhook-Signature"] = f"v1a,AAAA v2 {headers['Webhook-Signature']}"
    for secret in (OLD, NEW):
        assert verify_webhook(BODY, headers, secret).data.prediction_id == "p1"


@pytest.mark.parametrize(
    "headers",
    [
        signed(NEW),
        signed(OLD) | {"Webhook-Id": "msg_2"},
        signed(OLD) | {"Webhook-Signature": "v1,"},
        signed(OLD) | {"Webhook-Signature": "v1,ä"},
        {name: value for name, value in signed(OLD).items() if name != "Webhook-Signature"},
        {},
    ],
)
def test_what_is_not_signed_is_refused(headers: dict[str, str]) -> None:
    """By another secret, under another id, not at all."""
    with pytest.raises(InvalidSignature):
        verify_webhook(BODY, headers, OLD)


def test_a_body_that_was_changed_is_refused() -> None:
    """By one byte."""
    with pytest.raises(InvalidSignature, match="not signed"):
        verify_webhook(BODY + b" ", signed(OLD), OLD)


@pytest.mark.parametrize("age_s", [400, -400])
def test_what_was_signed_at_another_time_is_refused(age_s: float) -> None:
    """Long ago or in the future, unless the caller bears it."""
    with pytest.raises(InvalidSignature, match="not of now"):
        verify_webhook(BODY, signed(OLD, age_s=age_s), OLD)
    assert verify_webhook(BODY, signed(OLD, age_s=age_s), OLD, tolerance_s=500)


@pytest.mark.parametrize("timestamp", ["", "now", "nan", "inf"])
def test_a_time_that_is_none_is_refused(timestamp: str) -> None:
    """Whatever is tolerated."""
    with pytest.raises(InvalidSignature):
        verify_webhook(BODY, signed(OLD) | {"Webhook-Timestamp": timestamp}, OLD, tolerance_s=1e12)


def test_a_body_that_is_no_delivery_is_refused() -> None:
    """Though it is signed."""
    with pytest.raises(InvalidSignature, match="no delivery of Zypher"):
        verify_webhook(b"{}", signed(OLD, body=b"{}"), OLD)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!", []], ids=repr)
def test_a_secret_that_is_none_is_the_callers_mistake(secret: str | list[str]) -> None:
    """And never one that everything fits; the message does not repeat it."""
    with pytest.raises(ValueError, match="secret must be"):
        verify_webhook(BODY, signed(OLD), secret)


async def test_a_delivery_of_the_api_is_verified(settings: Settings) -> None:
    """Asked for with the client, signed by the API, read with the client."""
    allowed = msgspec.structs.replace(settings, webhook_allow=("127.0.0.0/8",))
    async with (
        running_api(allowed) as api,
        running_worker(api),
        delivering(api.services.queue, api.settings),
        receiving() as receiver,
        AsyncClient(str(api.base_url)) as client,
    ):
        registered = await register(api, receiver.url)
        submitted = await client.submit({"input": "hello"})
        await wait_until(lambda: receiver.received, timeout_s=30)
        first = receiver.received[0]
        payload = verify_webhook(first.body, first.headers, registered["secret"])
        assert payload.data.prediction_id == submitted.id
        assert payload.data.output == await submitted.wait()
        assert abs(payload.timestamp.timestamp() - time.time()) < 60

        own = (await api.post("/webhooks/direct/secret")).json()["secret"]
        await api.delete(f"/webhooks/{registered['webhook_id']}")
        receiver.received.clear()
        direct = await client.submit({"input": "x"}, webhook_url=receiver.url, webhook_events=["succeeded"])
        await wait_until(lambda: receiver.received, timeout_s=30)
        said = receiver.received[0]
        assert verify_webhook(said.body, said.headers, own).data.prediction_id == direct.id
