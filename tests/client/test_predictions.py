"""The client against a running API: predict, submit, wait, cancel, list, and what goes wrong."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from tests.api.models import Gate
from tests.api.running import RunningApi, running_api
from tests.client.scripted import between
from zypher_api.client import (
    Invalid,
    NotFound,
    PredictionCanceled,
    PredictionFailed,
    RateLimited,
    Retries,
    Status,
    Unauthorized,
    WaitTimeout,
    ZypherError,
    calls,
)
from zypher_jobs.settings import Settings
from zypher_jobs.testing import free_port, wait_until
from zypher_jobs.worker import PredictionWorker

HELLO = {"input": "hello"}
HASH = sha256(b"hello").hexdigest()
MakeClient = Callable[..., AbstractAsyncContextManager[Any]]


class Hashed(msgspec.Struct):
    """What ``mock`` gives."""

    input: str
    result: str


@pytest.fixture(autouse=True)
def gate() -> None:
    """It is closed."""
    Gate.opened, Gate.entered = asyncio.Event(), asyncio.Event()


async def test_an_output_now(client: Any) -> None:
    """Of the default model, of another one, of a version, as plain values and as a type."""
    assert await client.predict(HELLO) == {"input": "hello", "result": HASH}
    assert await client.predict(HELLO, model="mock", output_type=Hashed) == Hashed("hello", HASH)
    assert (await client.predict(HELLO, model="mock", version="1"))["result"] == HASH


async def test_an_output_later(client: Any, worker: PredictionWorker) -> None:
    """By the handle of the submit, and by one that is made of its id."""
    submitted = await client.submit(HELLO, output_type=Hashed)
    assert await submitted.wait(timeout_s=30) == Hashed("hello", HASH)
    assert await submitted.status() is Status.SUCCEEDED
    again = client.handle(submitted.id)
    assert await again.wait() == {"input": "hello", "result": HASH}
    record = await client.get(submitted.id)
    assert (record.mode, record.model, record.attempts) == ("async", "mock", 1)


async def test_a_wait_may_be_too_short(client: Any, worker: PredictionWorker) -> None:
    """It says so, and the prediction goes on."""
    submitted = await client.submit({"text": "x"}, model="gate")
    with pytest.raises(WaitTimeout, match="it goes on") as late:
        await submitted.wait(timeout_s=0.2)
    assert late.value.prediction_id == submitted.id
    Gate.opened.set()
    assert await submitted.wait() == {"text": "x"}


async def test_an_answer_now_may_be_too_late(client: Any) -> None:
    """It says so; it is not asked again."""
    with pytest.raises(WaitTimeout, match=r"within 0\.3 s"):
        await client.predict({"text": "x"}, model="gate", timeout_s=0.3)
    Gate.opened.set()


async def test_what_is_wrong_with_an_input(client: Any) -> None:
    """Its path, the code, and the id that stands in the log."""
    with pytest.raises(Invalid, match="Field 'input' must not be blank") as wrong:
        await client.predict({"input": ""})
    error = wrong.value
    assert (error.field, error.code, error.status) == ("$.input", "invalid_input", 422)
    assert error.request_id
    with pytest.raises(Invalid):
        await client.submit({"input": 1})


async def test_what_does_not_exist(client: Any) -> None:
    """A model, a version, a prediction; ids and names are quoted, whatever stands in them."""
    for asked in (
        client.predict(HELLO, model="mick"),
        client.predict(HELLO, model="mock", version="9"),
        client.predict(HELLO, model="../predict"),
        client.get("0" * 32),
        client.handle("0" * 32).wait(),
    ):
        with pytest.raises(NotFound):
            await asked
    with pytest.raises(Invalid, match="prediction's id"):
        await client.get("a b")


async def test_a_prediction_that_fails(client: Any, worker: PredictionWorker) -> None:
    """The same error whether it was asked now or later, with the model's words and the prediction's id."""
    submitted = await client.submit({"text": "no"}, model="raises")
    for asked in (submitted.wait(), client.predict({"text": "no"}, model="raises")):
        with pytest.raises(PredictionFailed, match="ValueError: no") as failed:
            await asked
        assert failed.value.error.code == failed.value.code == "model_error"
        assert failed.value.prediction_id
    assert await submitted.status() is Status.FAILED


async def test_an_output_of_another_type(client: Any) -> None:
    """Says what it is not."""
    with pytest.raises(ZypherError, match="no int: Expected `int`, got `object`"):
        await client.predict(HELLO, output_type=int)


async def test_canceling(client: Any, worker: PredictionWorker) -> None:
    """One that runs ends, and who waits for it is told."""
    submitted = await client.submit({"text": "x"}, model="gate")
    await Gate.entered.wait()
    waiting = asyncio.create_task(submitted.wait())
    assert (await submitted.cancel()).status in (Status.RUNNING, Status.CANCELED)
    with pytest.raises(PredictionCanceled):
        await waiting
    assert (await submitted.cancel()).status is Status.CANCELED


async def test_listing(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """All over pages, the newest first, of one millisecond by id; by status and model; as far as somebody looks."""
    monkeypatch.setattr(calls, "PAGE", 2)
    ids = [(await client.submit(HELLO)).id for _ in range(5)]
    other = (await client.submit({"text": "x"}, model="gate")).id
    listed = [(each.created_at, each.prediction_id) async for each in client.list()]
    assert sorted(each for _, each in listed) == sorted([other, *ids])
    assert listed == sorted(listed, reverse=True)
    assert [each.prediction_id async for each in client.list(model="gate", status=Status.QUEUED)] == [other]
    assert [each async for each in client.list(status="failed")] == []
    with pytest.raises(Invalid, match="Did you mean 'failed'"):
        _ = [each async for each in client.list(status="fialed")]


async def test_a_key(make_client: MakeClient, api: RunningApi) -> None:
    """Goes with each call; without one, or with one that is none, the error says what is wanted."""
    token = (await api.post("/keys", json={"name": "a", "scopes": ["admin"]})).json()["token"]
    async with make_client(str(api.base_url), api_key=token) as client:
        assert (await client.predict(HELLO))["result"] == HASH
    for key, why in ((None, "Authorization: Bearer"), ("zk_0_0", "not known")):
        async with make_client(str(api.base_url), api_key=key) as client:
            with pytest.raises(Unauthorized, match=why):
                await client.predict(HELLO)


async def test_a_queue_that_is_full(make_client: MakeClient, api_settings: Settings) -> None:
    """Says how long it will take, and is not waited for when that is longer than the client bears."""
    async with (
        running_api(msgspec.structs.replace(api_settings, queue_limit=1)) as api,
        make_client(str(api.base_url), retries=Retries(call_s=0.5)) as client,
    ):
        await client.submit(HELLO)
        with pytest.raises(RateLimited, match="queue is full") as full:
            await client.submit(HELLO)
        assert full.value.retry_after_s is not None
        assert full.value.retry_after_s >= 1


async def test_an_answer_that_is_lost_does_not_queue_twice(make_client: MakeClient, api: RunningApi) -> None:
    """The API has queued it, its answer was lost, and the next try is told the same id; so is one with a key, now."""
    async with between(api.settings.port) as line, make_client(line.url) as client:
        line.swallows = 2
        submitted = await client.submit(HELLO)
        assert len(line.heads) == 3
        assert [each.prediction_id async for each in client.list()] == [submitted.id]
        line.swallows = 1
        assert (await client.predict(HELLO, idempotency_key="mine"))["result"] == HASH
        with pytest.raises(Invalid, match="another request"):
            await client.predict({"input": "x"}, idempotency_key="mine")


async def test_a_server_that_goes_away_during_a_wait(
    make_client: MakeClient, api: RunningApi, worker: PredictionWorker, api_settings: Settings
) -> None:
    """And comes back: the wait goes on; so does one for a server that is not there yet."""
    other = msgspec.structs.replace(api_settings, port=free_port())
    url = f"http://127.0.0.1:{other.port}"
    async with make_client(url) as client:
        async with running_api(other):
            submitted = await client.submit({"text": "x"}, model="gate")
            waiting = asyncio.create_task(submitted.wait(timeout_s=60))
            await Gate.entered.wait()
        Gate.opened.set()

        async def has_ended() -> bool:
            return (await api.get(f"/predict/{submitted.id}")).json()["status"] == "succeeded"

        await wait_until(has_ended)
        assert not waiting.done()
        async with running_api(other):
            assert await waiting == {"text": "x"}


async def test_a_wait_for_a_server_that_stays_away(make_client: MakeClient) -> None:
    """Ends with the caller's time, or with its patience."""
    async with make_client(f"http://127.0.0.1:{free_port()}", retries=Retries(wait_s=0.2)) as client:
        with pytest.raises(ZypherError, match=r"does not answer \(ConnectError") as away:
            await client.handle("0" * 32).wait()
        assert away.value.code == "unreachable"
    async with make_client(f"http://127.0.0.1:{free_port()}") as client:
        with pytest.raises(WaitTimeout):
            await client.handle("0" * 32).wait(timeout_s=0.3)
