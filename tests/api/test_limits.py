"""Limits of keys: rates and places, the same for all processes together."""

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
import msgspec
import pytest

from tests.api.models import Gate
from tests.api.running import RunningApi, running_api, running_worker
from tests.api.test_keys import bearer, made
from zypher_api.limits import parse_rate
from zypher_jobs.queue.embedded import EmbeddedServer
from zypher_jobs.queue.limits import Granted, Limits, Wanted
from zypher_jobs.settings import Settings
from zypher_jobs.testing import free_port, wait_until

ASYNC = {"Async-Mode": "true"}
GATE = "/models/gate/predict"


@pytest.fixture(autouse=True)
def gate() -> type[Gate]:
    """A closed gate."""
    Gate.opened, Gate.entered = asyncio.Event(), asyncio.Event()
    return Gate


@pytest.fixture
async def admin(api: RunningApi) -> str:
    """A key without limits."""
    return await made(api, "admin", "admin")


async def statuses(of: httpx.AsyncClient, token: str, count: int, **headers: str) -> list[int]:
    """Of so many predictions at once."""
    asked = (of.post("/predict", json={"input": f"{n}"}, headers=bearer(token) | headers) for n in range(count))
    return [answer.status_code for answer in await asyncio.gather(*asked)]


async def test_a_key_has_no_more_than_its_requests(api: RunningApi, admin: str) -> None:
    """429 with when it is worth trying again; the headers say how it stands before that."""
    token = await made(api, "few", "predict", by=admin, requests="3/h")
    first = await api.get("/models", headers=bearer(token))
    assert first.headers["ratelimit-policy"] == '"requests";q=3;w=3600'
    assert first.headers["ratelimit"].startswith('"requests";r=2;t=')
    assert sorted(await statuses(api, token, 6)) == [200, 200, 429, 429, 429, 429]
    refused = await api.post("/predict", json={"input": "x"}, headers=bearer(token))
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert 1100 < int(refused.headers["retry-after"]) <= 1200
    assert refused.headers["ratelimit"].startswith('"requests";r=0;t=')
    assert "'few' may ask for 3 requests in h; try again in" in refused.json()["detail"]
    assert (await api.get("/models", headers=bearer(admin))).status_code == 200


async def test_predictions_are_counted_apart_from_requests(api: RunningApi, admin: str) -> None:
    """Reading costs none; a request for many counts as many, and one for more than there ever are never passes."""
    token = await made(api, "few", "predict", by=admin, requests="100/h", predictions="4/h")
    assert await statuses(api, token, 2) == [200, 200]
    assert (await api.get("/models", headers=bearer(token))).status_code == 200
    tensors: dict[str, Any] = {"name": "input", "datatype": "BYTES"}
    for count, status in ((3, 429), (2, 200), (1, 429), (5, 429)):
        body = {"inputs": [tensors | {"shape": [count, 1], "data": ["x"] * count}]}
        answer = await api.post("/v2/models/mock/infer", json=body, headers=bearer(token))
        assert answer.status_code == status, answer.text
    assert "this is 5 at once; send fewer" in answer.json()["detail"]
    assert '"predictions";r=0' in answer.headers["ratelimit"]


async def test_it_is_the_same_limit_for_all_processes(api: RunningApi, api_settings: Settings, admin: str) -> None:
    """Together they let through what one would, however fast and from however many at once."""
    token = await made(api, "shared", "predict", by=admin, requests="60/h")
    async with running_api(msgspec.structs.replace(api_settings, port=free_port())) as second:
        both = await asyncio.gather(*(statuses(of, token, 50) for _ in range(2) for of in (api, second)))
    answered = [status for some in both for status in some]
    assert answered.count(200) == 60
    assert answered.count(429) == 140


async def test_a_fast_rate_is_kept_without_a_round_trip_each(
    api: RunningApi, admin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Permits come in handfuls."""
    fetched: list[int] = []
    take = Limits.take_permits

    async def counted(self: Limits, wanted: Sequence[Wanted]) -> list[Granted]:
        fetched.append(wanted[0].wanted)
        return await take(self, wanted)

    monkeypatch.setattr(Limits, "take_permits", counted)
    token = await made(api, "fast", "predict", by=admin, requests="100000/s")
    for _ in range(5):
        assert set(await statuses(api, token, 200)) == {200}
    assert len(fetched) < 250


async def test_after_a_while_there_is_enough_again(api: RunningApi, admin: str) -> None:
    """As soon as Retry-After says."""
    token = await made(api, "slow", "predict", by=admin, requests="2/2s")
    assert sorted(await statuses(api, token, 3)) == [200, 200, 429]

    async def again() -> bool:
        return (await statuses(api, token, 1)) == [200]

    await wait_until(again)


async def test_a_rate_is_kept_while_redis_is_away(valkey_settings: Settings, valkey: EmbeddedServer) -> None:
    """By each process for itself: synchronous predictions go on, and not without a limit."""
    async with running_api(valkey_settings) as api:
        admin = await made(api, "admin", "admin")
        token = await made(api, "few", "predict", by=admin, requests="5/h")
        valkey.kill()
        assert sorted(await statuses(api, token, 10)) == [200] * 5 + [429] * 5


async def test_a_key_has_so_many_at_once(api: RunningApi, admin: str, gate: type[Gate]) -> None:
    """Those that run here and those in the queue together; whoever ends makes room."""
    token = await made(api, "two", "predict", by=admin, concurrent=2)
    running = asyncio.create_task(api.post(GATE, json={}, headers=bearer(token)))
    await asyncio.wait_for(gate.entered.wait(), 20)
    queued = await api.post("/predict", json={"input": "x"}, headers=ASYNC | bearer(token))
    assert queued.status_code == 202
    for headers in ({}, ASYNC):
        refused = await api.post("/predict", json={"input": "x"}, headers=headers | bearer(token))
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_at_once")
        assert refused.headers["retry-after"] == "1"
    gate.opened.set()
    assert (await running).status_code == 200

    async def has_room() -> bool:
        return (await statuses(api, token, 1)) == [200]

    await wait_until(has_room)
    async with running_worker(api):
        ended = await api.get(queued.headers["location"] + "?wait=20", headers=bearer(token))
        assert ended.json()["status"] == "succeeded"

        async def has_all() -> bool:
            return await statuses(api, token, 2, Prefer="respond-async, wait=20") == [200, 200]

        await wait_until(has_all)


async def test_canceling_makes_room(api: RunningApi, admin: str) -> None:
    """At once, though nobody ran it."""
    token = await made(api, "one", "predict", by=admin, concurrent=1)
    queued = await api.post("/predict", json={"input": "x"}, headers=ASYNC | bearer(token))
    assert await statuses(api, token, 1) == [429]
    await api.delete(queued.headers["location"], headers=bearer(token))

    async def has_room() -> bool:
        return await statuses(api, token, 1) == [200]

    await wait_until(has_room)


async def test_no_more_are_granted_than_the_rate_in_any_time(api: RunningApi) -> None:
    """Whatever is asked: all at first, then what was earned since."""
    limits = Limits(api.services.queue)
    try:
        total = 0
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        asked = 0
        while total < 150:
            asked += 1
            granted = await limits.take_permits(
                [Wanted("x:requests", 100, 1000, 7, 1), Wanted("y:requests", 5, 1000, 9, 6)]
            )
            total += granted[0].permits
            elapsed_s = loop.time() - began_s
            assert total <= 100 * (1 + elapsed_s + 0.05)
            assert (granted[1].permits, granted[1].missing_ms) == (0, -1)
        assert loop.time() - began_s > 0.4
    finally:
        await limits.aclose()


@pytest.mark.parametrize(
    ("text", "rate"),
    [("100/s", (100, 1000)), ("5/10s", (5, 10_000)), ("1000/min", (1000, 60_000)), ("1/d", (1, 86_400_000))],
)
def test_how_a_rate_is_written(text: str, rate: tuple[int, int]) -> None:
    """So many, in that time."""
    assert parse_rate(text) == rate
