"""``POST /predict`` and ``GET /predict/{id}``: the contract that today's callers use."""

import asyncio
import hashlib
from typing import Any, cast

import msgspec
import pytest

from tests.api.models import Gate
from tests.api.running import RunningApi, running_worker
from zypher_jobs.queue import PredictionQueue, keys
from zypher_jobs.testing import wait_until
from zypher_jobs.worker import PredictionWorker

HELLO = {"input": "hello", "result": hashlib.sha256(b"hello").hexdigest()}


@pytest.fixture(autouse=True)
def gate() -> type[Gate]:
    """A closed gate."""
    Gate.opened, Gate.entered = asyncio.Event(), asyncio.Event()
    return Gate


async def test_a_synchronous_prediction_answers_with_exactly_the_models_output(api: RunningApi) -> None:
    """200, JSON, the output and nothing around it, and an id in a header."""
    answer = await api.post("/predict", json={"input": "hello"})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == HELLO
    assert len(answer.headers["prediction-id"]) == 32


@pytest.mark.parametrize("value", ["true", "True", "TRUE"])
async def test_async_mode_answers_202_with_an_id(api: RunningApi, value: str) -> None:
    """The body and headers of the contract, in any case of ``true``."""
    answer = await api.post("/predict", json={"input": "hello"}, headers={"Async-Mode": value})

    prediction_id = answer.json()["prediction_id"]
    assert answer.status_code == 202
    assert answer.json() == {
        "message": "Request received. Processing asynchronously.",
        "prediction_id": prediction_id,
        "status": "queued",
        "queue_position": 0,
        "location": f"/predict/{prediction_id}",
    }
    assert answer.headers["location"] == f"/predict/{prediction_id}"
    assert "preference-applied" not in answer.headers


@pytest.mark.parametrize("value", ["false", "FALSE"])
async def test_async_mode_false_answers_now(api: RunningApi, value: str) -> None:
    """``false`` decides, whatever ``Prefer`` says."""
    answer = await api.post(
        "/predict", json={"input": "hello"}, headers={"Async-Mode": value, "Prefer": "respond-async"}
    )

    assert (answer.status_code, answer.json()) == (200, HELLO)


async def test_prefer_respond_async_is_applied_and_said_so(api: RunningApi) -> None:
    """RFC 7240: 202 with ``Preference-Applied``."""
    answer = await api.post("/predict", json={"input": "hello"}, headers={"Prefer": "respond-async"})

    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "respond-async"


async def test_prefer_with_wait_answers_200_when_it_ends_in_time(api: RunningApi, worker: PredictionWorker) -> None:
    """The output itself, as a synchronous call would have it."""
    answer = await api.post("/predict", json={"input": "hello"}, headers={"Prefer": "wait=10, respond-async"})

    assert (answer.status_code, answer.json()) == (200, HELLO)
    assert worker is not None


async def test_prefer_with_wait_answers_202_when_it_does_not(api: RunningApi) -> None:
    """Nobody works: after the wait the caller gets the id, and where it stands."""
    answer = await api.post("/predict", json={"input": "hello"}, headers={"Prefer": "respond-async, wait=1"})

    assert answer.status_code == 202
    assert answer.json()["status"] == "queued"
    assert answer.headers["preference-applied"] == "respond-async, wait=1"


async def test_prefer_with_wait_answers_a_failure_as_a_synchronous_one(
    api: RunningApi, worker: PredictionWorker
) -> None:
    """The same problem either way."""
    later = await api.post(
        "/models/raises/predict", json={"text": "boom"}, headers={"Prefer": "respond-async, wait=10"}
    )
    now = await api.post("/models/raises/predict", json={"text": "boom"})

    same = ("status", "title", "detail", "code", "instance")
    assert {name: later.json()[name] for name in same} == {name: now.json()[name] for name in same}
    assert now.json()["status"] == 500
    assert worker is not None


async def test_a_queued_prediction_can_be_read_until_it_has_succeeded(api: RunningApi) -> None:
    """Queued: its position and ``Retry-After``. Ended: output and times, and no more ``Retry-After``."""
    await api.post("/predict", json={"input": "first"}, headers={"Async-Mode": "true"})
    location = (await api.post("/predict", json={"input": "hello"}, headers={"Async-Mode": "true"})).headers["location"]

    queued = await api.get(location)
    assert queued.json()["status"] == "queued"
    assert queued.json()["queue_position"] == 1
    assert queued.headers["retry-after"] == "1"
    assert queued.headers["cache-control"] == "no-store"

    async with running_worker(api):
        done = await api.get(location, params={"wait": "10"})
    assert done.json()["status"] == "succeeded"
    assert done.json()["output"] == HELLO
    assert done.json()["attempts"] == 1
    assert done.json()["mode"] == "async"
    assert done.json()["finished_at"].endswith("Z")
    assert "retry-after" not in done.headers


async def test_a_long_poll_answers_as_soon_as_the_prediction_ends(api: RunningApi, worker: PredictionWorker) -> None:
    """``?wait=`` holds the request while it runs, and no longer."""
    location = (await api.post("/models/gate/predict", json={}, headers={"Async-Mode": "true"})).headers["location"]
    await Gate.entered.wait()
    polling = asyncio.create_task(api.get(location, params={"wait": "30"}))
    running = await api.get(location)
    assert running.json()["status"] == "running"
    assert not polling.done()

    Gate.opened.set()

    assert (await polling).json()["status"] == "succeeded"
    assert worker is not None


async def test_a_long_poll_that_nothing_ends_answers_where_it_stands(api: RunningApi) -> None:
    """After the wait: 200, still queued."""
    location = (await api.post("/predict", json={"input": "x"}, headers={"Async-Mode": "true"})).headers["location"]

    answer = await api.get(location, params={"wait": "0.2"})

    assert (answer.status_code, answer.json()["status"]) == (200, "queued")


async def test_a_failed_prediction_says_why_without_a_traceback(api: RunningApi) -> None:
    """500, the error's type and text; the traceback is for the log."""
    answer = await api.post("/models/raises/predict", json={"text": "boom"})

    assert answer.status_code == 500
    assert answer.json()["code"] == "model_error"
    assert answer.json()["detail"] == "ValueError: boom"
    assert "Traceback" not in answer.text
    assert ".py" not in answer.text
    assert len(answer.headers["prediction-id"]) == 32


async def test_a_prediction_over_its_timeout_answers_504(api: RunningApi) -> None:
    """The caller waits no longer than ``ZYPHER_RUN_TIMEOUT_S``."""
    api.services.settings = msgspec.structs.replace(api.services.settings, run_timeout_s=0.05)

    answer = await api.post("/models/gate/predict", json={})

    assert (answer.status_code, answer.json()["code"]) == (504, "timeout")


async def test_a_model_that_did_not_load_answers_503(api: RunningApi) -> None:
    """With ``Retry-After``; the other models serve."""
    answer = await api.post("/models/not-loaded/predict", json={})

    assert (answer.status_code, answer.json()["code"]) == (503, "model_not_ready")
    assert int(answer.headers["retry-after"]) >= 1


async def test_every_model_has_its_path(api: RunningApi) -> None:
    """``/models/{name}/predict`` is the same contract for any model."""
    answer = await api.post("/models/mock/predict", json={"input": "hello"})
    queued = await api.post("/models/mock/predict", json={"input": "hello"}, headers={"Async-Mode": "true"})

    assert (answer.status_code, answer.json()) == (200, HELLO)
    assert queued.headers["location"].startswith("/predict/")


async def test_synchronous_predictions_are_recorded_behind_the_answer(api: RunningApi) -> None:
    """By id and in the newest predictions, with what came in and went out."""
    answered = await api.post("/predict", json={"input": "hello"})
    prediction_id = answered.headers["prediction-id"]

    async def recorded() -> bool:
        return (await api.get(f"/predict/{prediction_id}")).status_code == 200

    await wait_until(recorded)

    prediction = (await api.get(f"/predict/{prediction_id}")).json()
    assert prediction["mode"] == "sync"
    assert prediction["status"] == "succeeded"
    assert prediction["output"] == HELLO
    latest = (await api.get("/stats")).json()["latest"]
    assert latest[0]["prediction_id"] == prediction_id
    assert latest[0]["input_preview"] == '{"input":"hello"}'


async def test_two_hundred_at_once_each_get_their_own_answer(api: RunningApi, worker: PredictionWorker) -> None:
    """Synchronous and asynchronous ones mixed."""

    async def ask(number: int) -> bool:
        headers = {"Prefer": "respond-async, wait=20"} if number % 2 else {}
        answer = await api.post("/predict", json={"input": f"text {number}"}, headers=headers)
        return answer.json()["result"] == hashlib.sha256(f"text {number}".encode()).hexdigest()

    assert all(await asyncio.gather(*(ask(number) for number in range(200))))
    assert worker is not None


@pytest.mark.parametrize(
    "request_head",
    [
        "GET /predict/{id}?wait=60 HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
        'POST /predict HTTP/1.1\r\nprefer: respond-async, wait=60\r\ncontent-length: 13\r\n\r\n{"input":"x"}',
    ],
    ids=["long poll", "Prefer: wait"],
)
async def test_a_caller_that_goes_away_is_waited_for_no_longer(
    api: RunningApi, queue: PredictionQueue, request_head: str
) -> None:
    """Its wait ends with its connection, nothing is answered (499 in the figures), and its prediction stays."""
    prediction = await queue.submit("mock", {"input": "x"})
    _, writer = await asyncio.open_connection("127.0.0.1", api.settings.port)
    writer.write(request_head.replace("{id}", prediction.prediction_id).encode())

    async def is_waited_for() -> bool:
        latest = (await queue.inspect.overview()).latest
        redis = cast("Any", queue)
        return any([await redis.hget(keys.record(each.prediction_id), "reply_to") for each in latest])

    await wait_until(is_waited_for)
    writer.close()
    await wait_until(lambda: api.services.meter.running == 0)
    left = [(method, status) for (method, _, status), _ in api.services.meter.statuses()]
    assert left == [(request_head.split(maxsplit=1)[0], 499)]
    latest = (await api.get("/stats")).json()["latest"]
    assert {each["status"] for each in latest} == {"queued"}


async def test_the_process_answers_waiting_callers_when_it_drains(api: RunningApi, queue: PredictionQueue) -> None:
    """A long poll neither delays the shutdown nor is cut off."""
    prediction = await queue.submit("mock", {"input": "x"})
    polling = asyncio.create_task(api.get(f"/predict/{prediction.prediction_id}", params={"wait": "60"}))
    await wait_until(lambda: api.services.meter.running == 1)

    api.server.should_exit = True

    assert (await asyncio.wait_for(polling, timeout=5)).json()["status"] == "queued"


@pytest.fixture
async def queue(api: RunningApi) -> PredictionQueue:
    """The API's own client."""
    return api.services.queue


async def test_who_waits_for_so_long_only_is_answered_in_time(api: RunningApi) -> None:
    """``Prefer: wait=N`` alone: 202 and where to read it if it takes longer, else 200; both say what was applied."""
    later = await api.post("/predict", json={"input": "hello"}, headers={"Prefer": "wait=0"})
    assert (later.status_code, later.headers["preference-applied"]) == (202, "wait=0")
    async with running_worker(api):
        in_time = await api.post("/predict", json={"input": "hello"}, headers={"Prefer": "wait=20"})
        assert (in_time.status_code, in_time.json()["input"]) == (200, "hello")
        assert in_time.headers["preference-applied"] == "wait=20"
        assert (await api.get(later.headers["location"] + "?wait=20")).json()["status"] == "succeeded"
