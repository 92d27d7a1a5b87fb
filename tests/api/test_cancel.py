"""``DELETE /predict/{id}``: what waits is canceled at once, what runs soon, and what has ended stays as it is."""

import asyncio
from uuid import uuid4

import pytest

from tests.api.models import Gate
from tests.api.running import RunningApi, running_worker

ASYNC = {"Async-Mode": "true"}


@pytest.fixture(autouse=True)
def gate() -> type[Gate]:
    """A closed gate."""
    Gate.opened, Gate.entered = asyncio.Event(), asyncio.Event()
    return Gate


async def test_what_waits_is_canceled_at_once(api: RunningApi) -> None:
    """200 with the record, the same again, and never run."""
    location = (await api.post("/models/gate/predict", json={}, headers=ASYNC)).headers["location"]
    for _ in range(2):
        canceled = await api.delete(location)
        assert canceled.status_code == 200
        assert (canceled.json()["status"], canceled.json()["error"]["code"]) == ("canceled", "canceled")
    async with running_worker(api):
        after = await api.post("/predict", json={"input": "hello"}, headers=ASYNC)
        assert (await api.get(after.headers["location"] + "?wait=20")).json()["status"] == "succeeded"
    assert (await api.get(location)).json()["attempts"] == 0


async def test_what_runs_is_stopped(api: RunningApi, gate: type[Gate]) -> None:
    """202, where to read it, and soon it has ended."""
    async with running_worker(api):
        location = (await api.post("/models/gate/predict", json={}, headers=ASYNC)).headers["location"]
        await asyncio.wait_for(gate.entered.wait(), 20)
        stopping = await api.delete(location)
        assert (stopping.status_code, stopping.json()["status"]) == (202, "running")
        assert (stopping.headers["location"], stopping.headers["retry-after"]) == (location, "1")
        ended = (await api.get(location + "?wait=20")).json()
        assert (ended["status"], ended["output"]) == ("canceled", None)


async def test_what_has_ended_stays_as_it_is(api: RunningApi) -> None:
    """200 with its output."""
    async with running_worker(api):
        location = (await api.post("/predict", json={"input": "hello"}, headers=ASYNC)).headers["location"]
        ended = (await api.get(location + "?wait=20")).json()
        canceled = await api.delete(location)
        assert (canceled.status_code, canceled.json()) == (200, ended)
        assert ended["status"] == "succeeded"


async def test_what_there_is_not_cannot_be_canceled(api: RunningApi) -> None:
    """404 for an id that nobody has, 400 for one that nobody can have."""
    unknown = await api.delete(f"/predict/{uuid4().hex}")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_prediction")
    malformed = await api.delete("/predict/a%20b")
    assert (malformed.status_code, malformed.json()["code"]) == (400, "malformed_request")
