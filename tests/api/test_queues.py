"""``/queues`` and ``/workers``: what waits, who works, and pausing."""

import asyncio

import pytest

from tests.api.models import Gate
from tests.api.running import RunningApi, running_worker
from tests.api.test_audit import waiting
from tests.api.test_keys import bearer, made
from zypher_jobs.contracts.prediction import Priority
from zypher_jobs.testing import wait_until

ASYNC = {"Async-Mode": "true"}


async def test_each_queue_says_what_waits_by_model(api: RunningApi) -> None:
    """Highest priority first; how long, and how many of each model."""
    for _ in range(2):
        await waiting(api)
    await api.post("/models/gate/predict", json={}, headers=ASYNC)
    await api.services.queue.submit("mock", {"input": "a"}, priority=Priority.LOW)
    queues = (await api.get("/queues")).json()["queues"]
    assert [queue["queue"] for queue in queues] == ["high", "normal", "low"]
    assert [queue["depth"] for queue in queues] == [0, 3, 1]
    high, normal, _ = queues
    assert (high["oldest_age_ms"], high["drain_s"], high["models"]) == (None, 0, [])
    assert {line["model"]: line["waiting"] for line in normal["models"]} == {"gate": 1, "mock": 2}
    assert normal["sampled"] == 3
    assert normal["oldest_age_ms"] == max(line["oldest_age_ms"] for line in normal["models"])
    assert (normal["ended_per_s"], normal["drain_s"], normal["paused"]) == (0, None, False)
    assert (await api.get("/queues/low")).json()["depth"] == 1


async def test_a_paused_queue_waits_until_it_is_resumed(api: RunningApi) -> None:
    """Others go on; both are in the audit log."""
    paused = await api.post("/queues/normal/pause")
    assert (paused.status_code, paused.json()["paused"]) == (200, True)
    async with running_worker(api):
        waits = await waiting(api)
        other = await api.services.queue.submit("mock", {"input": "a"}, priority=Priority.HIGH)
        assert (await api.get(f"/predict/{other.prediction_id}?wait=20")).json()["status"] == "succeeded"
        assert (await api.get(f"/predict/{waits}")).json()["status"] == "queued"
        resumed = await api.post("/queues/normal/resume")
        assert (resumed.status_code, resumed.json()["paused"]) == (200, False)
        assert (await api.get(f"/predict/{waits}?wait=20")).json()["status"] == "succeeded"
        assert (await api.get("/queues/normal")).json()["ended_per_s"] > 0
    entries = (await api.get("/audit")).json()["entries"]
    assert [(entry["action"], entry["target"]) for entry in entries] == [
        ("queue.resume", "normal"),
        ("queue.pause", "normal"),
    ]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("hihg", "Did you mean 'high'?"), ("urgent", "Known: high, normal, low.")],
)
async def test_a_queue_that_there_is_not_is_404(api: RunningApi, name: str, sentence: str) -> None:
    """With the nearest that there is."""
    for answer in (
        await api.get(f"/queues/{name}"),
        await api.post(f"/queues/{name}/pause"),
        await api.post(f"/queues/{name}/resume"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_queue")
        assert sentence in answer.json()["detail"]
    assert (await api.get("/audit")).json()["entries"] == []


async def test_a_worker_says_what_it_runs(api: RunningApi) -> None:
    """Where it is, how many it may run, and which it does."""
    Gate.opened, Gate.entered = asyncio.Event(), asyncio.Event()
    assert (await api.get("/workers")).json() == {"workers": []}
    async with running_worker(api) as worker:
        runs = (await api.post("/models/gate/predict", json={}, headers=ASYNC)).json()["prediction_id"]
        await asyncio.wait_for(Gate.entered.wait(), 20)

        async def is_heard_of() -> bool:
            return bool((await api.get("/workers")).json()["workers"])

        await wait_until(is_heard_of)
        (listed,) = (await api.get("/workers")).json()["workers"]
        detail = (await api.get(f"/workers/{worker.worker_id}")).json()
        assert listed["worker_id"] == detail["worker_id"] == worker.worker_id
        assert {"host", "pid", "slots", "models", "seen_at", "started_at"} <= detail.keys()
        assert [one["prediction_id"] for one in detail["predictions"]] == [runs]
        Gate.opened.set()
        assert (await api.get(f"/predict/{runs}?wait=20")).json()["status"] == "succeeded"
        assert (await api.get(f"/workers/{worker.worker_id}")).json()["predictions"] == []


async def test_a_worker_that_there_is_not_is_404(api: RunningApi) -> None:
    """With the way out."""
    answer = await api.get("/workers/nobody")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_worker")
    assert "GET /workers" in answer.json()["detail"]


async def test_who_may_read_may_not_pause(api: RunningApi) -> None:
    """That takes ``operate``; who may only predict sees neither."""
    admin = await made(api, "admin", "admin")
    seen = {"predict": (403, 403, 403), "read": (200, 200, 403), "operate": (200, 200, 200)}
    for scope, statuses in seen.items():
        key = bearer(await made(api, scope, scope, by=admin))
        answers = (
            await api.get("/queues", headers=key),
            await api.get("/workers", headers=key),
            await api.post("/queues/low/pause", headers=key),
        )
        assert tuple(answer.status_code for answer in answers) == statuses
