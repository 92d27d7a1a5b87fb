"""A caller who goes away: what it asked for at once is canceled unless told otherwise; who waited frees its slot."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest

from tests.api.models import Checks, Gate, Meets, Speaks
from tests.api.running import RunningApi, running_api, running_worker
from zypher_jobs.settings import Settings
from zypher_jobs.testing import wait_until

ASYNC = {"Async-Mode": "true"}
STAY = {"On-Disconnect": "continue"}


@pytest.fixture
async def api(api_settings: Settings) -> AsyncIterator[RunningApi]:
    """An API with models that run until nobody wants them any more."""
    Gate.opened, Gate.entered = asyncio.Event(), asyncio.Event()
    for event in (Checks.begun, Checks.may_end, Checks.was_told_to_stop, Speaks.was_told_to_stop):
        event.clear()
    Meets.may_go_on, Speaks.may_go_on = threading.Semaphore(0), threading.Semaphore(0)
    Meets.batches.clear()
    names = ("Gate", "Meets", "Speaks", "Checks", "SpinsApart")
    settings = msgspec.structs.replace(api_settings, models=tuple(f"tests.api.models:{name}" for name in names))
    async with running_api(settings) as running:
        yield running


class Leaver:
    """A request whose caller goes away when the test says so."""

    def __init__(self, asked: Awaitable[httpx.Response]) -> None:
        self._asked = asyncio.ensure_future(asked)

    async def leave(self) -> None:
        """Close the connection; there was no answer yet."""
        assert not self._asked.done()
        self._asked.cancel()
        with suppress(asyncio.CancelledError):
            await self._asked


def asks(api: RunningApi, model: str, body: Any, headers: dict[str, str] | None = None) -> Leaver:
    return Leaver(api.post(f"/models/{model}/predict", json=body, headers=headers))


async def recorded(api: RunningApi, count: int = 1) -> list[str]:
    """The statuses of so many predictions, once they are recorded as ended."""
    found: list[str] = []

    async def all_there() -> bool:
        found[:] = [each["status"] for each in (await api.get("/predictions")).json()["predictions"]]
        return len(found) == count and not {"queued", "running"} & set(found)

    await wait_until(all_there, timeout_s=20)
    return found


async def test_a_caller_who_goes_away_cancels_its_prediction(api: RunningApi) -> None:
    """Its run ends, its record says canceled, its request counts as 499, and the slot is free."""
    asked = asks(api, "gate", {})
    await asyncio.wait_for(Gate.entered.wait(), 20)
    served = api.services.registry.get("gate")
    assert served.running == 1
    await asked.leave()
    await wait_until(lambda: served.running == 0)
    assert await recorded(api) == ["canceled"]
    sample = 'zypher_http_requests_total{method="POST",route="/models/gate/predict",status="499"}'
    assert await api.metric(sample) == 1


@pytest.mark.parametrize("headers", [STAY, {}], ids=["header", "setting"])
async def test_it_goes_on_where_that_was_asked_for(api: RunningApi, headers: dict[str, str]) -> None:
    """By a header or the setting; its record has the output."""
    if not headers:
        api.services.settings = msgspec.structs.replace(api.services.settings, on_disconnect="continue")
    asked = asks(api, "gate", {"text": "x"}, headers)
    await asyncio.wait_for(Gate.entered.wait(), 20)
    await asked.leave()
    Gate.opened.set()
    assert await recorded(api) == ["succeeded"]


async def test_with_a_key_the_next_try_has_the_answer(api: RunningApi) -> None:
    """It went on, and was answered to nobody; the next try is told."""
    headers = {"Idempotency-Key": str(uuid4())} | STAY
    asked = asks(api, "gate", {"text": "x"}, headers)
    await asyncio.wait_for(Gate.entered.wait(), 20)
    await asked.leave()
    assert (await api.post("/models/gate/predict", json={"text": "x"}, headers=headers)).status_code == 409
    Gate.opened.set()
    await recorded(api)
    again = await api.post("/models/gate/predict", json={"text": "x"}, headers=headers)
    assert (again.json(), again.headers["idempotency-replayed"]) == ({"text": "x"}, "true")


async def test_with_a_key_a_canceled_one_runs_again(api: RunningApi) -> None:
    """The key is free as soon as its caller is gone."""
    headers = {"Idempotency-Key": str(uuid4())}
    asked = asks(api, "gate", {"text": "x"}, headers)
    await asyncio.wait_for(Gate.entered.wait(), 20)
    await asked.leave()
    assert await recorded(api) == ["canceled"]
    Gate.opened.set()
    again = await api.post("/models/gate/predict", json={"text": "x"}, headers=headers)
    assert (again.status_code, "idempotency-replayed" in again.headers) == (200, False)


async def test_a_model_in_a_thread_is_told_to_stop(api: RunningApi) -> None:
    """``context.check()`` ends it."""
    asked = asks(api, "checks", {})
    await wait_until(Checks.begun.is_set)
    await asked.leave()
    await wait_until(Checks.was_told_to_stop.is_set)
    assert await recorded(api) == ["canceled"]


async def test_a_model_in_a_process_is_ended(api: RunningApi) -> None:
    """Its process is killed, and another one serves the next caller."""
    served = api.services.registry.get("spins-apart")
    await wait_until(lambda: served.ready, timeout_s=60)  # its process has started
    asked = asks(api, "spins-apart", {"text": "spin"})
    await wait_until(lambda: served.running == 1)
    await asked.leave()
    after = await api.post("/models/spins-apart/predict", json={"text": "after"})
    assert (after.status_code, after.json()) == (200, {"text": "after"})


async def test_who_waits_for_a_batch_and_goes_is_in_none(api: RunningApi) -> None:
    """The model never sees its input."""
    served = api.services.registry.get("meets")
    batcher = served.batcher
    assert batcher is not None
    stays = [asyncio.create_task(api.post("/models/meets/predict", json={"text": "first"}))]
    await wait_until(lambda: Meets.batches == [["first"]])
    goes = asks(api, "meets", {"text": "goes"})
    stays.append(asyncio.create_task(api.post("/models/meets/predict", json={"text": "stays"})))
    await wait_until(lambda: batcher.waiting == 2)
    await goes.leave()
    await wait_until(lambda: batcher.waiting == 1)
    for _ in range(3):
        Meets.may_go_on.release()
    assert [each.status_code for each in await asyncio.gather(*stays)] == [200, 200]
    assert Meets.batches == [["first"], ["stays"]]


async def test_a_stream_that_stays_is_run_to_its_end(api: RunningApi) -> None:
    """Its record has all of the output; without that, it is canceled."""
    for headers in ({}, STAY):
        accept = {"Accept": "text/event-stream", **headers}
        async with api.stream("POST", "/models/speaks/predict", json={"text": "one two"}, headers=accept) as stream:
            async for line in stream.aiter_lines():
                if line.startswith("event: output"):
                    break
    Speaks.may_go_on.release(4)  # the one that is told to stop may take one before it looks
    assert sorted(await recorded(api, 2)) == ["canceled", "succeeded"]


@pytest.mark.parametrize("path", ["infer", "generate"])
async def test_v2_callers_cancel_too(api: RunningApi, path: str) -> None:
    """All predictions of the request."""
    body: dict[str, Any] = {"text_input": "x"}
    if path == "infer":
        tensor = {"name": "text", "datatype": "BYTES", "shape": [2], "data": ["a", "b"]}
        body = {"inputs": [tensor]}
    served = api.services.registry.get("gate")
    asked = Leaver(api.post(f"/v2/models/gate/{path}", json=body))
    await wait_until(lambda: served.running == (2 if path == "infer" else 1))
    await asked.leave()
    await wait_until(lambda: served.running == 0)


async def test_what_is_queued_goes_on_without_who_waited(api: RunningApi) -> None:
    """``wait=N`` and long polls only wait: their slots are free at once, and the prediction runs."""
    asked = asks(api, "gate", {}, {"Prefer": "respond-async, wait=30"})
    await wait_until(lambda: api.services.queue.waiting == 1)
    await asked.leave()
    await wait_until(lambda: api.services.queue.waiting == 0)
    location = (await api.post("/models/gate/predict", json={}, headers=ASYNC)).headers["location"]
    polls = Leaver(api.get(f"{location}?wait=30"))
    await wait_until(lambda: api.services.queue.waiting == 1)
    await polls.leave()
    await wait_until(lambda: api.services.queue.waiting == 0)
    Gate.opened.set()
    async with running_worker(api):
        assert await recorded(api, 2) == ["succeeded"] * 2


async def test_who_follows_events_and_goes_frees_its_slot(api: RunningApi) -> None:
    """Nothing of it is left."""
    location = (await api.post("/models/gate/predict", json={}, headers=ASYNC)).headers["location"]
    async with api.stream("GET", f"{location}/events") as stream:
        assert await anext(stream.aiter_lines())
        assert api.services.queue.watching == 1
    await wait_until(lambda: api.services.queue.watching == 0)


async def test_other_words_are_refused(api: RunningApi) -> None:
    """400 that names the header."""
    answer = await api.post("/predict", json={"input": "x"}, headers={"On-Disconnect": "stay"})
    assert (answer.status_code, answer.json()["field"]) == (400, "On-Disconnect")


async def test_pipelined_requests_cancel_none_but_the_one_that_runs(api: RunningApi) -> None:
    """The first of two on one connection is under way when it closes; the second never begins."""
    _, writer = await asyncio.open_connection("127.0.0.1", api.settings.port)
    request = b"POST /models/gate/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\n{}"
    writer.write(request * 2)
    await asyncio.wait_for(Gate.entered.wait(), 20)
    writer.close()
    await writer.wait_closed()
    assert await recorded(api) == ["canceled"]
    assert api.services.registry.get("gate").running == 0
