"""``/v2`` answered later, told by webhooks, and tried again under an ``Idempotency-Key``, as the native routes are."""

import asyncio
import json
import struct
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from tests.api.models import Gate
from tests.api.running import RunningApi, running_api, running_worker
from tests.api.test_idempotency import REPLAYED, key, same
from tests.api.test_inference_v2 import outputs, tensor
from zypher_jobs.queue import keys
from zypher_jobs.queue.connection import connect
from zypher_jobs.settings import Settings
from zypher_jobs.testing import free_port, wait_until

STORY = "/v2/models/story/generate"
INFER = "/v2/models/doubles/infer"
ASYNC = {"Prefer": "respond-async"}
TEXT = {"text_input": "once upon"}


@pytest.fixture
def api_settings(settings: Settings) -> Settings:
    """Models of texts and of tensors, and a gate."""
    names = ("Story", "Shout", "Doubles")
    models = (*(f"tests.api.inference_models:{name}" for name in names), "tests.api.models:Gate")
    return msgspec.structs.replace(settings, models=models)


@pytest.fixture
async def other(api: RunningApi) -> AsyncIterator[RunningApi]:
    """Another API process on the same Redis."""
    async with running_api(msgspec.structs.replace(api.settings, port=free_port())) as running:
        yield running


@pytest.fixture(autouse=True)
def gate() -> type[Gate]:
    """A closed gate."""
    Gate.opened, Gate.entered = asyncio.Event(), asyncio.Event()
    return Gate


def rows(*values: float) -> dict[str, Any]:
    """As many predictions of ``doubles``."""
    return {"id": "r", "inputs": [tensor("values", "FP64", [len(values), 1], list(values))]}


async def listed(api: RunningApi) -> list[str]:
    """The ids of all predictions, newest first."""
    return [each["prediction_id"] for each in (await api.get("/predictions")).json()["predictions"]]


@pytest.mark.parametrize(("model", "text"), [("story", "once upon once "), ("shout", "ONCE UPON")])
async def test_a_text_may_be_answered_later(api: RunningApi, model: str, text: str) -> None:
    """202 as ``/predict`` answers it, its output read by its id; with ``wait``, the text if it is ready in time."""
    path = f"/v2/models/{model}/generate"
    accepted = await api.post(path, json=TEXT, headers=ASYNC)
    assert (accepted.status_code, accepted.headers["preference-applied"]) == (202, "respond-async")
    assert accepted.headers["location"] == accepted.json()["location"]
    assert accepted.headers["prediction-id"] == accepted.json()["prediction_id"]
    async with running_worker(api):
        ended = (await api.get(accepted.headers["location"] + "?wait=20")).json()
        assert ended["status"] == "succeeded"
        in_time = await api.post(path, json=TEXT | {"id": "a"}, headers={"Prefer": "respond-async, wait=20"})
    assert (in_time.status_code, in_time.headers["preference-applied"]) == (200, "respond-async, wait=20")
    assert in_time.json() == {"model_name": model, "model_version": "1", "id": "a", "text_output": text}
    assert ended["output"] == text


async def test_a_generation_that_fails_later_says_why(api: RunningApi) -> None:
    """As one that is answered now."""
    async with running_worker(api):
        failed = await api.post(STORY, json={"text_input": "boom"}, headers={"Prefer": "wait=20"})
    assert (failed.status_code, failed.json()["error"]) == (500, "ValueError: boom")


async def test_a_stream_may_be_followed_later(api: RunningApi) -> None:
    """``generate_stream`` is queued then: 202 at once, with a key too, and its pieces are the prediction's events."""
    headers = key(prefer="respond-async, wait=20")
    accepted = [await api.post(f"{STORY}_stream", json=TEXT, headers=headers) for _ in range(2)]
    assert [each.status_code for each in accepted] == [202, 202]
    assert [each.headers["preference-applied"] for each in accepted] == ["respond-async"] * 2
    assert same(*accepted)
    async with running_worker(api):
        location = accepted[0].headers["location"]
        assert (await api.get(location + "?wait=20")).json()["status"] == "succeeded"
        said = (await api.get(location + "/events")).text
    assert [json.loads(line[6:]) for line in said.splitlines() if line.startswith('data: "')] == [
        "once ",
        "upon ",
        "once ",
    ]


async def test_a_stream_has_no_key_and_no_webhook(api: RunningApi) -> None:
    """400 with the way out; ``wait`` alone changes nothing, for there is something at once."""
    refused = await api.post(f"{STORY}_stream", json=TEXT, headers=key())
    assert (refused.status_code, refused.json()["field"]) == (400, "Idempotency-Key")
    assert "Prefer: respond-async" in refused.json()["detail"]
    told = await api.post(f"{STORY}_stream", json=TEXT, headers={"Webhook-Url": "https://example.com/hook"})
    assert (told.status_code, told.json()["field"]) == (400, "Webhook-Url")
    streamed = await api.post(f"{STORY}_stream", json=TEXT, headers={"Prefer": "wait=5"})
    assert (streamed.status_code, streamed.headers["content-type"]) == (200, "text/event-stream")


@pytest.mark.parametrize(
    ("path", "body"), [(INFER, rows(1)), (INFER, rows(1, 2)), (STORY, TEXT)], ids=["one", "two", "text"]
)
@pytest.mark.parametrize("headers", [{}, ASYNC], ids=["now", "later"])
async def test_the_same_request_is_answered_once(
    api: RunningApi, other: RunningApi, path: str, body: dict[str, Any], headers: dict[str, str]
) -> None:
    """From any process: the same answer, and nothing runs again."""
    headers = key() | headers
    first = await api.post(path, json=body, headers=headers)
    again = [await each.post(path, json=body, headers=headers) for each in (api, other)]
    assert first.status_code == (202 if "Prefer" in headers else 200), first.text
    assert REPLAYED not in first.headers
    assert all(same(first, each) and each.headers[REPLAYED] == "true" for each in again)
    count = len(body["inputs"][0]["data"]) if path == INFER else 1

    async def are_recorded() -> bool:
        return len(await listed(api)) == count

    assert await wait_until(are_recorded)


async def test_another_request_with_the_same_key_is_refused(api: RunningApi) -> None:
    """422 for another body, another path, and the same bytes cut elsewhere."""
    headers = key()
    await api.post(INFER, json=rows(1), headers=headers)
    for path, body in ((INFER, rows(2)), ("/v2/models/doubles/versions/1/infer", rows(1))):
        refused = await api.post(path, json=body, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
    whole = msgspec.json.encode(rows(1))
    cut = await api.post(INFER, content=whole, headers=headers | {"Inference-Header-Content-Length": f"{len(whole)}"})
    assert (cut.status_code, cut.json()["code"]) == (422, "idempotency_key_reused")


async def test_tries_that_come_at_once_run_it_once(api: RunningApi, other: RunningApi, gate: type[Gate]) -> None:
    """409 and when to come again, for infer and for generate, while the first is not answered."""
    requests = [
        ("/v2/models/gate/infer", {"inputs": [tensor("text", "BYTES", [1], ["x"])]}),
        ("/v2/models/gate/generate", {"text_input": "x"}),
    ]
    for path, body in requests:
        gate.opened, gate.entered = asyncio.Event(), asyncio.Event()
        headers = key()
        first = asyncio.create_task(api.post(path, json=body, headers=headers))
        await asyncio.wait_for(gate.entered.wait(), 20)
        early = await other.post(path, json=body, headers=headers)
        assert (early.status_code, early.json()["code"]) == (409, "request_outstanding"), early.text
        assert early.headers["retry-after"] == "1"
        gate.opened.set()
        assert (await first).status_code == 200
        assert same(await first, await other.post(path, json=body, headers=headers))


async def test_binary_tensors_are_given_again_as_they_were(api: RunningApi) -> None:
    """With the media type and the header that say where the JSON ends."""
    asked = {"inputs": [{"name": "values", "shape": [1, 1], "datatype": "FP64", "parameters": {"binary_data_size": 8}}]}
    head = json.dumps(asked | {"parameters": {"binary_data_output": True}}).encode()
    headers = key() | {
        "Inference-Header-Content-Length": str(len(head)),
        "Content-Type": "application/octet-stream",
    }
    body = head + struct.pack("<d", 1.5)
    first, again = [await api.post(INFER, content=body, headers=headers) for _ in range(2)]
    assert first.headers["content-type"] == "application/octet-stream"
    assert again.headers[REPLAYED] == "true"
    assert same(first, again)


async def test_a_failure_is_not_kept(api: RunningApi) -> None:
    """What failed runs again; what is wrong with the request is refused before its key counts."""
    headers = key()
    ids = set[str]()
    for _ in range(2):
        failed = await api.post(STORY, json={"text_input": "boom"}, headers=headers)
        assert failed.status_code == 500
        ids.add(failed.headers["prediction-id"])
    assert len(ids) == 2
    headers = key()
    assert (await api.post(INFER, json={"inputs": []}, headers=headers)).status_code == 422
    assert (await api.post(INFER, json=rows(1), headers=headers)).status_code == 200


@pytest.mark.parametrize(("path", "body"), [(INFER, rows(1, 2)), (STORY, TEXT)], ids=["infer", "generate"])
async def test_what_a_dead_process_queued_is_found_and_not_queued_again(
    api: RunningApi, path: str, body: dict[str, Any]
) -> None:
    """Also by a try that wants its answer now: it waits for the same predictions."""
    headers = key()
    accepted: httpx.Response = await api.post(path, json=body, headers=headers | ASYNC)
    assert accepted.status_code == 202
    queued = await listed(api)
    async with connect(str(api.settings.redis_url), timeout_s=5) as redis:
        (name,) = [name async for name in redis.scan_iter(keys.ONCE + "*")]
        await redis.hdel(name, "answer")  # as if its process had died before it wrote that
        await redis.hset(name, "lease_until_ms", 0)
    async with running_worker(api):
        found = await api.post(path, json=body, headers=headers)
    assert found.status_code == 200, found.text
    assert outputs(found) == {"values": [2.0, 4.0]} if path == INFER else found.json()["text_output"]
    assert await listed(api) == queued
