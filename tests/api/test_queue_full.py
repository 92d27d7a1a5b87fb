"""A full queue, as HTTP says it."""

import msgspec
import pytest

from tests.api.running import RunningApi, running_worker
from zypher_jobs.settings import Settings

LATER = {"Async-Mode": "true"}


@pytest.fixture
def api_settings(api_settings: Settings) -> Settings:
    """The queue may hold two."""
    return msgspec.structs.replace(api_settings, queue_limit=2)


async def test_a_full_queue_is_429_with_when_to_try_again(api: RunningApi) -> None:
    """A problem of code ``queue_full``; nothing is queued, and a synchronous prediction needs no queue."""
    for _ in range(2):
        assert (await api.post("/predict", json={"input": "a"}, headers=LATER)).status_code == 202
    refused = await api.post("/predict", json={"input": "a"}, headers=LATER)
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "30"
    assert refused.headers["content-type"].startswith("application/problem+json")
    assert "location" not in refused.headers
    problem = refused.json()
    assert (problem["status"], problem["code"], problem["instance"]) == (429, "queue_full", "/predict")
    assert problem["type"] == "urn:zypher:problem:queue_full"
    assert problem["detail"] == problem["error"]
    assert "2 predictions wait and 2 may" in problem["detail"]
    assert (await api.get("/stats")).json()["queue"]["depth"] == 2
    assert (await api.post("/predict", json={"input": "a"})).status_code == 200


async def test_a_full_queue_takes_predictions_again_once_it_has_drained(api: RunningApi) -> None:
    """And then says a time of its own: at least a second, at most the 30 it says when it knows nothing."""
    accepted = [await api.post("/predict", json={"input": "a"}, headers=LATER) for _ in range(2)]
    assert (await api.post("/predict", json={"input": "a"}, headers=LATER)).status_code == 429
    async with running_worker(api):
        for answer in accepted:
            ended = await api.get(f"/predict/{answer.json()['prediction_id']}?wait=10")
            assert ended.json()["status"] == "succeeded"
    for _ in range(2):
        assert (await api.post("/predict", json={"input": "a"}, headers=LATER)).status_code == 202
    refused = await api.post("/predict", json={"input": "a"}, headers=LATER)
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 30


async def test_a_caller_that_would_wait_for_its_answer_is_refused_as_well(api: RunningApi) -> None:
    """``Prefer: respond-async, wait=5`` goes through the queue: it is told at once, not after 5 s."""
    for _ in range(2):
        await api.post("/predict", json={"input": "a"}, headers=LATER)
    refused = await api.post("/predict", json={"input": "a"}, headers={"Prefer": "respond-async, wait=5"})
    assert refused.status_code == 429
    assert refused.elapsed.total_seconds() < 2
