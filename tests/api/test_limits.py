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
from zypher_api.permits import parse_rate
from zypher_jobs.errors import Overloaded
from zypher_jobs.models import ServedModel
from zypher_jobs.models.call import Call
from zypher_jobs.queue.embedded import EmbeddedServer
from zypher_jobs.queue.limits import Granted, Limits, Returned, Wanted
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


async def test_an_answer_that_is_given_again_is_no_new_prediction(
    api: RunningApi, api_settings: Settings, admin: str
) -> None:
    """By no process, on no route, and also when nothing is left; each try counts as a request."""
    token = bearer(await made(api, "few", "predict", by=admin, requests="100/h", predictions="4/h"))
    text = {"inputs": [{"name": "input", "datatype": "BYTES", "shape": [1], "data": ["x"]}]}
    asked: list[tuple[str, Any, dict[str, str]]] = [
        ("/predict", {"input": "x"}, {}),
        ("/predict", {"input": "x"}, ASYNC),
        ("/v2/models/mock/infer", text, {}),
        ("/predictions", [{"input": {"input": "x"}}], {}),
    ]
    async with running_api(msgspec.structs.replace(api_settings, port=free_port())) as second:
        for number, (path, body, more) in enumerate(asked):
            headers = token | more | {"Idempotency-Key": f"key-{number}"}
            tries = [await of.post(path, json=body, headers=headers) for of in (api, second) * 2]
            assert {each.status_code for each in tries} == {tries[0].status_code}, tries[0].text
        for of in (api, second):
            assert await statuses(of, token["Authorization"][7:], 1) == [429]
            again = await of.post("/predict", json={"input": "x"}, headers=token | {"Idempotency-Key": "key-0"})
            assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
    assert '"requests";r=80;' in again.headers["ratelimit"]


async def test_what_is_refused_before_it_begins_counts_nothing(
    api_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whichever process: a full queue, no place, a model that is not ready or has too much to do, a bad input."""
    settings = msgspec.structs.replace(api_settings, queue_limit=1)
    other = msgspec.structs.replace(settings, port=free_port())
    async with running_api(settings) as api, running_api(other) as second:
        admin = await made(api, "admin", "admin")
        token = await made(api, "few", "predict", by=admin, predictions="3/h", concurrent=2)
        first = await api.post("/predict", json={"input": "x"}, headers=ASYNC | bearer(token))
        tensors = {"inputs": [{"name": "input", "datatype": "BYTES", "shape": [1], "data": ["x"]}]}
        for of in (api, second) * 3:
            full = await of.post("/predict", json={"input": "x"}, headers=ASYNC | bearer(token))
            assert (full.status_code, full.json()["code"]) == (429, "queue_full")
            full = await of.post("/v2/models/mock/infer", json=tensors, headers=ASYNC | bearer(token))
            assert (full.status_code, full.json()["code"]) == (429, "queue_full")
            many = await of.post("/predictions", json=[{"input": {"input": "x"}}], headers=bearer(token))
            assert (many.json()["accepted"], many.json()["refused"]) == (0, 1)
            bad = await of.post("/predict", json={"input": 1}, headers=bearer(token))
            assert bad.status_code == 422
        run_call = ServedModel.run_call

        async def busy(self: ServedModel, call: Call) -> Any:
            raise Overloaded(f"Model {self.name!r}", retry_after_s=1)

        monkeypatch.setattr(ServedModel, "run_call", busy)
        for of in (api, second):
            for path in ("/predict", "/models/mock/predict"):
                shed = await of.post(path, json={"input": "x"}, headers=bearer(token))
                assert (shed.status_code, shed.json()["code"]) == (503, "overloaded")
            shed = await of.post("/v2/models/mock/infer", json=tensors, headers=bearer(token))
            assert shed.status_code == 503
        monkeypatch.setattr(ServedModel, "run_call", run_call)
        few = await api.post("/predict", json={"input": "x"}, headers=bearer(token))
        assert (few.status_code, few.headers["ratelimit"].partition(";t=")[0]) == (200, '"predictions";r=1')
        held = await made(api, "held", "predict", by=admin, predictions="2/h", concurrent=1)
        await api.delete(first.headers["location"], headers=bearer(token))
        assert await statuses(second, held, 1, **ASYNC) == [202]
        for of in (api, second):
            busy_key = await of.post("/predict", json={"input": "x"}, headers=bearer(held))
            assert (busy_key.status_code, busy_key.json()["code"]) == (429, "too_many_at_once")
            assert busy_key.headers["ratelimit"].startswith('"predictions";r=1')
        assert [*await statuses(second, token, 1), *await statuses(api, token, 1)] == [200, 429]


async def test_refusals_at_once_are_given_back_together(
    api: RunningApi, admin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind the answers, in a few round trips; then all is there again, whoever asks."""
    returned: list[int] = []
    give = Limits.return_permits

    async def counted(self: Limits, permits: Returned) -> None:
        returned.append(permits.permits)
        await give(self, permits)

    async def busy(self: ServedModel, call: Call) -> Any:
        raise Overloaded(f"Model {self.name!r}", retry_after_s=1)

    token = await made(api, "fast", "predict", by=admin, predictions="250/h")
    with monkeypatch.context() as patch:
        patch.setattr(Limits, "return_permits", counted)
        patch.setattr(ServedModel, "run_call", busy)
        assert set(await statuses(api, token, 200)) == {503}

        async def is_all_back() -> bool:
            return sum(returned) == 200

        await wait_until(is_all_back)
    assert len(returned) < 200
    assert sorted(await statuses(api, token, 260)) == [200] * 250 + [429] * 10


async def test_what_was_refused_is_given_back_while_redis_is_away(
    valkey_settings: Settings, valkey: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the rate that the process keeps by itself."""
    async with running_api(valkey_settings) as api:
        admin = await made(api, "admin", "admin")
        token = await made(api, "few", "predict", by=admin, predictions="3/h")
        valkey.kill()

        async def busy(self: ServedModel, call: Call) -> Any:
            raise Overloaded(f"Model {self.name!r}", retry_after_s=1)

        with monkeypatch.context() as patch:
            patch.setattr(ServedModel, "run_call", busy)
            for _ in range(5):
                assert await statuses(api, token, 1) == [503]
        assert [(await statuses(api, token, 1))[0] for _ in range(4)] == [200, 200, 200, 429]


async def test_no_more_comes_back_than_was_taken(api: RunningApi) -> None:
    """Whatever is returned: permits that were earned again meanwhile are not granted twice."""
    limits = Limits(api.services.queue)
    try:
        rate = ("x:predictions", 5, 3_600_000)
        assert (await limits.take_permits([Wanted(*rate, 4, 1)]))[0].left == 1
        await limits.return_permits(Returned(*rate, 2))
        assert (await limits.take_permits([Wanted(*rate, 1, 1)]))[0].left == 2
        await limits.return_permits(Returned(*rate, 1000))
        assert (await limits.take_permits([Wanted(*rate, 9, 1)]))[0] == Granted(5, 0, 0, 3_600_000)
    finally:
        await limits.aclose()


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
