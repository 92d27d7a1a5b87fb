"""``GET /events``: the live stream of everything."""

import asyncio
from typing import Any

import pytest

from tests.api.running import RunningApi, running_worker
from tests.api.streams import Event, Events, opened
from zypher_api.routes import events as route
from zypher_jobs.testing import wait_until

ASYNC = {"Async-Mode": "true"}


async def some(events: Events, count: int) -> list[Event]:
    """The next few."""
    found = [await asyncio.wait_for(events.next(), 20) for _ in range(count)]
    return [each for each in found if each is not None]


async def test_everything_is_told_as_it_happens(api: RunningApi) -> None:
    """One event for each status that a prediction enters; the past is not told."""
    before = await api.post("/predict", json={"input": "before"}, headers=ASYNC)
    async with opened(api, "GET", "/events") as events:
        await following(api)
        queued = await api.post("/predict", json={"input": "x"}, headers=ASYNC)
        (first,) = await some(events, 1)
        assert (first.kind, first.data["model"]) == ("queued", "mock")
        assert first.data["prediction_id"] == queued.json()["prediction_id"]
        async with running_worker(api):
            told = await some(events, 4)
    assert {each.kind for each in told} == {"running", "succeeded"}
    assert {each.data["prediction_id"] for each in told} == {
        before.json()["prediction_id"],
        queued.json()["prediction_id"],
    }


async def test_a_stream_resumes_behind_what_was_read(api: RunningApi) -> None:
    """``0`` reads all that is kept."""
    ids = [(await api.post("/predict", json={"input": "x"}, headers=ASYNC)).json()["prediction_id"] for _ in range(3)]
    async with opened(api, "GET", "/events", headers={"Last-Event-ID": "0"}) as events:
        told = await some(events, 3)
    assert [each.data["prediction_id"] for each in told] == ids
    async with opened(api, "GET", "/events", headers={"Last-Event-ID": told[0].event_id}) as events:
        assert await some(events, 2) == told[1:]


async def test_only_some_are_told(api: RunningApi) -> None:
    """Of one status, of one model."""
    for model, body in (("mock", {"input": "x"}), ("keeps", {"text": "x"}), ("mock", {"input": "y"})):
        assert (await api.post(f"/models/{model}/predict", json=body, headers=ASYNC)).status_code == 202
    everything = {"Last-Event-ID": "0"}
    canceled = await api.post("/predict", json={"input": "x"}, headers=ASYNC)
    await api.delete(canceled.headers["location"])
    async with opened(api, "GET", "/events?status=canceled", headers=everything) as events:
        (only,) = await some(events, 1)
    assert only.data["prediction_id"] == canceled.json()["prediction_id"]
    async with opened(api, "GET", "/events?model=mock&status=queued", headers=everything) as events:
        assert {each.data["model"] for each in await some(events, 2)} == {"mock"}


@pytest.mark.parametrize(
    ("query", "headers", "field"),
    [
        ("status=faild", {}, "status"),
        ("status=failed&status=queued", {}, "status"),
        ("state=failed", {}, "state"),
        ("", {"Last-Event-ID": "yesterday"}, "Last-Event-ID"),
    ],
)
async def test_what_cannot_be_asked(api: RunningApi, query: str, headers: dict[str, str], field: str) -> None:
    """The problem names it."""
    refused = await api.get(f"/events?{query}", headers=headers)
    assert (refused.status_code, refused.json()["field"]) == (400, field)
    if query == "status=faild":
        assert "Did you mean 'failed'?" in refused.json()["detail"]


async def test_a_caller_who_leaves_frees_its_connection(api: RunningApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that others may follow; beyond the bound one is told to come back."""
    monkeypatch.setattr(route, "MOST_STREAMS", 1)
    async with opened(api, "GET", "/events"):
        refused = await api.get("/events")
        assert (refused.status_code, refused.json()["code"]) == (503, "not_ready")
        assert refused.headers["retry-after"] == "1"

    async def is_free() -> bool:
        async with api.stream("GET", "/events") as answer:
            return answer.status_code == 200

    await wait_until(is_free)


async def test_the_stream_ends_when_the_process_drains(api: RunningApi) -> None:
    """The client comes back with the last id it has."""
    async with opened(api, "GET", "/events") as events:
        api.services.drain()
        assert await events.rest() == []


async def following(api: RunningApi) -> None:
    """Until somebody waits for events."""
    redis: Any = api.services.queue

    async def blocked() -> bool:
        return bool((await redis.info("clients"))["blocked_clients"])

    await wait_until(blocked)
