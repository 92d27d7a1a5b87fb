"""``Idempotency-Key``: a request that is tried again is answered once, whichever API process it comes to."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import msgspec
import pytest

from tests.api.models import Gate
from tests.api.running import RunningApi, running_api, running_worker
from tests.api.test_keys import bearer, made
from zypher_jobs.queue import keys, once
from zypher_jobs.queue.connection import RedisClient, connect
from zypher_jobs.queue.embedded import EmbeddedServer
from zypher_jobs.queue.once import Once, Try
from zypher_jobs.settings import Settings
from zypher_jobs.testing import free_port, wait_until

GATE, FAILS = "/models/gate/predict", "/models/raises/predict"
REPLAYED = "idempotency-replayed"


def key(**more: str) -> dict[str, str]:
    """Headers with a key of their own."""
    return {"Idempotency-Key": f'"{uuid4()}"', **{name.replace("_", "-"): value for name, value in more.items()}}


@pytest.fixture(autouse=True)
def gate() -> type[Gate]:
    """A closed gate."""
    Gate.opened, Gate.entered = asyncio.Event(), asyncio.Event()
    return Gate


@pytest.fixture
async def other(api: RunningApi) -> AsyncIterator[RunningApi]:
    """Another API process on the same Redis."""
    async with running_api(msgspec.structs.replace(api.settings, port=free_port())) as running:
        yield running


@pytest.fixture
async def redis(api: RunningApi) -> AsyncIterator[RedisClient]:
    """Redis as it is."""
    async with connect(str(api.settings.redis_url), timeout_s=5) as client:
        yield client


def same(one: httpx.Response, two: httpx.Response) -> bool:
    """Whether two answers are the same but for what is each request's own."""
    own = {"request-id", "date", REPLAYED}

    def shown(answer: httpx.Response) -> tuple[int, bytes, dict[str, str]]:
        return answer.status_code, answer.content, {k: v for k, v in answer.headers.items() if k not in own}

    return shown(one) == shown(two)


async def test_the_same_request_is_answered_once(api: RunningApi, other: RunningApi) -> None:
    """Status, body and headers again, from any process; the model runs once."""
    headers = key()
    first = await api.post("/predict", json={"input": "hello"}, headers=headers)
    again = [await each.post("/predict", json={"input": "hello"}, headers=headers) for each in (api, other)]
    assert first.status_code == 200
    assert REPLAYED not in first.headers
    assert all(same(first, each) and each.headers[REPLAYED] == "true" for each in again)
    assert again[0].headers["request-id"] != first.headers["request-id"]
    await wait_until(lambda: _is_recorded(api, first.headers["prediction-id"]))
    assert len((await api.get("/predictions")).json()["predictions"]) == 1


async def _is_recorded(api: RunningApi, prediction_id: str) -> bool:
    return (await api.get(f"/predict/{prediction_id}")).status_code == 200


async def test_a_submit_is_queued_once(api: RunningApi, other: RunningApi) -> None:
    """202 with the same Location, though it has ended meanwhile."""
    headers = key(prefer="respond-async")
    first = await api.post("/predict", json={"input": "hello"}, headers=headers)
    async with running_worker(api):
        assert (await api.get(first.headers["location"] + "?wait=20")).json()["status"] == "succeeded"
    again = await other.post("/predict", json={"input": "hello"}, headers=headers)
    assert (first.status_code, again.headers[REPLAYED]) == (202, "true")
    assert first.headers["preference-applied"] == "respond-async"
    assert same(first, again)


async def test_tries_that_come_at_once_run_it_once(api: RunningApi, other: RunningApi, gate: type[Gate]) -> None:
    """While the first is not answered the others are told 409 and when to come again."""
    headers = key()
    tries = [asyncio.create_task(each.post(GATE, json={}, headers=headers)) for each in (api, other) * 5]
    await wait_until(lambda: sum(each.done() for each in tries) == len(tries) - 1)
    early = [each.result() for each in tries if each.done()]
    assert {(each.status_code, each.json()["code"], each.headers["retry-after"]) for each in early} == {
        (409, "request_outstanding", "1")
    }
    gate.opened.set()
    answers = await asyncio.gather(*tries)
    assert sorted(each.status_code for each in answers) == [200] + [409] * 9
    assert (await other.post(GATE, json={}, headers=headers)).headers[REPLAYED] == "true"


@pytest.mark.parametrize(
    ("path", "body"), [("/predict", {"input": "two"}), ("/models/mock/predict", {"input": "one"})], ids=["body", "path"]
)
async def test_a_key_of_another_request_is_refused(api: RunningApi, path: str, body: dict[str, str]) -> None:
    """422, whether the first is answered or not; the first stays what it was."""
    headers = key()
    await api.post("/predict", json={"input": "one"}, headers=headers)
    refused = await api.post(path, json=body, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
    again = await api.post("/predict", json={"input": "one"}, headers={**headers, "Async-Mode": "true"})
    assert (again.status_code, again.headers[REPLAYED]) == (200, "true")


@pytest.mark.parametrize(
    "value",
    ["", '""', "x" * 256, '"' + "x" * 256 + '"', '"open', '"a" b', "tab\tinside", "caf\xe9", '"a\\b"'],
)
async def test_a_malformed_key_is_refused(api: RunningApi, value: str) -> None:
    """400 that names the header; nothing runs."""
    answer = await api.post(
        "/predict", json={"input": "hello"}, headers=[(b"idempotency-key", value.encode("latin-1"))]
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")
    assert answer.json()["field"] == "Idempotency-Key"


async def test_two_keys_are_none(api: RunningApi) -> None:
    """400: nobody knows which is meant."""
    twice = [("idempotency-key", "a"), ("idempotency-key", "b")]
    assert (await api.post("/predict", json={"input": "hello"}, headers=twice)).status_code == 400


async def test_quotes_and_parameters_are_not_part_of_the_key(api: RunningApi) -> None:
    """A string of structured fields is the key that it holds; the longest one is taken."""
    text = uuid4().hex + "x" * 223
    spellings = [f'"{text}"', f'"{text}";a=1', text]
    answers = [
        await api.post("/predict", json={"input": "hello"}, headers={"Idempotency-Key": each}) for each in spellings
    ]
    assert [each.headers.get(REPLAYED) for each in answers] == [None, "true", "true"]


async def test_a_failure_is_not_kept(api: RunningApi) -> None:
    """Each try of it runs; what is wrong with the request is refused before its key counts."""
    headers = key()
    ids: set[str] = set()
    for _ in range(2):
        failed = await api.post(FAILS, json={"text": "no"}, headers=headers)
        assert (failed.status_code, failed.json()["code"]) == (500, "model_error")
        ids.add(failed.headers["prediction-id"])
    assert len(ids) == 2
    headers = key()
    assert (await api.post("/predict", json={"input": 1}, headers=headers)).status_code == 422
    assert (await api.post("/predict", json={"input": "fine"}, headers=headers)).status_code == 200


async def test_events_have_no_key(api: RunningApi) -> None:
    """400 with the way out."""
    answer = await api.post("/predict", json={"input": "hello"}, headers=key(accept="text/event-stream"))
    assert (answer.status_code, answer.json()["field"]) == (400, "Idempotency-Key")
    assert "Prefer: respond-async" in answer.json()["detail"]


async def test_each_caller_has_keys_of_its_own(api: RunningApi) -> None:
    """What one was answered is told nobody else, and neither is that there was something."""
    admin = await made(api, "admin", "admin")
    tokens = [await made(api, name, "predict", by=admin) for name in ("one", "two")]
    headers = key()
    answers = [await api.post("/predict", json={"input": "hello"}, headers=headers | bearer(token)) for token in tokens]
    assert [each.status_code for each in answers] == [200, 200]
    assert [each.headers.get(REPLAYED) for each in answers] == [None, None]


async def test_an_answer_too_large_to_keep_is_not_run_again(api: RunningApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """409 that says where the output is."""
    monkeypatch.setattr(once, "ANSWER_BYTES", 10)
    headers = key()
    first = await api.post("/predict", json={"input": "hello"}, headers=headers)
    again = await api.post("/predict", json={"input": "hello"}, headers=headers)
    assert (first.status_code, again.status_code, again.json()["code"]) == (200, 409, "answer_not_kept")
    prediction_id = first.headers["prediction-id"]
    assert f"/predict/{prediction_id}" in again.json()["detail"]
    assert again.headers["prediction-id"] == prediction_id


async def test_an_answer_is_forgotten_after_its_time(api: RunningApi, redis: RedisClient) -> None:
    """Every key lives as long as the setting says from its answer on, and no longer than that and a lease before."""
    await api.post("/predict", json={"input": "hello"}, headers=key())
    (name,) = [name async for name in redis.scan_iter(keys.ONCE + "*")]
    lifetime_ms = api.settings.idempotency_s * 1000
    assert lifetime_ms - 60_000 < await redis.pttl(name) <= lifetime_ms
    await redis.delete(name)


async def test_a_key_whose_process_died_is_free_when_its_lease_ends(api: RunningApi, other: RunningApi) -> None:
    """Until then 409; a lease that is renewed does not end."""
    first = Once(api.services.queue, lifetime_s=60, lease_s=0.6)
    second = Once(other.services.queue, lifetime_s=60, lease_s=0.6)
    begun = await first.begin("key", caller="", fingerprint="x")
    assert isinstance(begun, Try)
    for _ in range(10):  # three times the lease
        with pytest.raises(once.RequestOutstanding):
            await second.begin("key", caller="", fingerprint="x")
        await asyncio.sleep(0.2)
    await first.aclose()  # as if it had died
    taken: list[Try] = []

    async def is_free() -> bool:
        try:
            found = await second.begin("key", caller="", fingerprint="x")
        except once.RequestOutstanding:
            return False
        assert isinstance(found, Try)
        taken.append(found)
        return True

    await wait_until(is_free)
    assert (taken[0].prediction_id, taken[0].is_known) == (begun.prediction_id, False)
    await second.aclose()


async def test_what_a_dead_process_queued_is_found_and_not_queued_again(
    api: RunningApi, redis: RedisClient, gate: type[Gate]
) -> None:
    """Its next try waits for the same prediction; one that is synchronous is answered with its output."""
    headers = key(prefer="respond-async")
    async with running_worker(api):
        first = await api.post(GATE, json={"text": "x"}, headers=headers)
        (name,) = [name async for name in redis.scan_iter(keys.ONCE + "*")]
        await redis.hdel(name, "answer")  # as if it had died before it wrote that
        await redis.hset(name, "lease_until_ms", 0)
        gate.opened.set()
        del headers["prefer"]
        found = await api.post(GATE, json={"text": "x"}, headers=headers)
    assert (found.status_code, found.json()) == (200, {"text": "x"})
    assert found.headers["prediction-id"] == first.headers["prediction-id"]
    assert len((await api.get("/predictions")).json()["predictions"]) == 1


async def test_without_redis_a_key_is_refused(valkey: EmbeddedServer, valkey_settings: Settings) -> None:
    """503, rather than to run it without knowing whether it ran; without a key it is answered as ever."""
    async with running_api(msgspec.structs.replace(valkey_settings, redis_timeout_s=0.3)) as api:
        valkey.stop()
        refused = await api.post("/predict", json={"input": "hello"}, headers=key())
        assert (refused.status_code, refused.json()["code"]) == (503, "redis_unavailable")
        assert refused.headers["retry-after"] == "1"
        assert (await api.post("/predict", json={"input": "hello"})).status_code == 200
