"""What a running prediction says, as server-sent events: at once, through the queue, after an interruption."""

import asyncio
import threading

import httpx
import msgspec
import pytest

from tests.api.models import Speaks
from tests.api.running import RunningApi, running_api, running_worker
from tests.api.streams import chunks, kinds, opened
from zypher_api import event_stream
from zypher_jobs.queue.connection import RedisClient
from zypher_jobs.queue.embedded import EmbeddedServer
from zypher_jobs.settings import Settings
from zypher_jobs.testing import wait_until

SPEAKS = "/models/speaks/predict"
ASYNC = {"Async-Mode": "true"}


@pytest.fixture(autouse=True)
def semaphore() -> None:
    """No word is let go yet."""
    Speaks.may_go_on = threading.Semaphore(0)
    Speaks.was_told_to_stop = threading.Event()


@pytest.fixture
def api_settings(settings: Settings) -> Settings:
    """A model that speaks."""
    models = tuple(f"tests.api.models:{name}" for name in ("Speaks", "Raises", "NotLoaded"))
    return msgspec.structs.replace(settings, models=models)


async def queued(api: RunningApi, text: str, path: str = SPEAKS) -> str:
    """The path of a queued prediction's events."""
    answer = await api.post(path, json={"text": text}, headers=ASYNC | {"Accept": "text/event-stream"})
    assert answer.status_code == 202
    assert answer.headers["content-type"] == "application/json"
    return answer.headers["location"] + "/events"


async def test_the_first_chunk_comes_before_the_last_is_made(api: RunningApi) -> None:
    """Synchronous: word by word, with all else that the model says, in order; the end has the whole output."""
    async with opened(api, "POST", SPEAKS, json={"text": "so it goes"}) as events:
        start, log, progress, first = await events.until("output")
        assert start.data == {
            "prediction_id": events.answer.headers["prediction-id"],
            "model": "speaks",
            "version": "1",
        }
        assert log.data["line"] == "3 words"
        assert (progress.data["progress"], progress.data["message"]) == (0.0, "word 1")
        assert log.data["at"] <= progress.data["at"]
        assert (first.data, first.event_id) == ("so ", "3")
        Speaks.may_go_on.release()
        second = await events.until("output")
        assert [event.kind for event in second] == ["progress", "output"]
        assert (second[0].data["progress"], second[0].data["message"]) == (1 / 3, "word 2")
        assert second[1].data == "it "
        Speaks.may_go_on.release(2)
        rest = await events.rest()
    assert rest[-1].data == {
        "prediction_id": start.data["prediction_id"],
        "status": "succeeded",
        "output": "so it goes ",
    }

    async def recorded() -> bool:
        return (await api.get(f"/predict/{start.data['prediction_id']}")).status_code == 200

    await wait_until(recorded)
    record = (await api.get(f"/predict/{start.data['prediction_id']}")).json()
    assert (record["status"], record["mode"], record["output"]) == ("succeeded", "sync", "so it goes ")


async def test_a_model_that_does_not_stream_gives_its_end(api: RunningApi) -> None:
    """Any model answers so; a failure is an end too."""
    async with opened(api, "POST", "/predict", json={"input": "hello"}) as events:
        start, end = await events.rest()
    assert (start.kind, end.kind) == ("start", "end")
    assert end.data["output"]["input"] == "hello"
    async with opened(api, "POST", "/models/raises/predict", json={"text": "no"}) as events:
        start, end = await events.rest()
    assert end.data["status"] == "failed"
    assert end.data["error"] == {"code": "model_error", "message": "ValueError: no"}
    assert "output" not in end.data


async def test_what_is_refused_before_it_begins_is_a_problem(api: RunningApi) -> None:
    """With its status: no stream says 200 first."""
    headers = {"Accept": "text/event-stream"}
    bad = await api.post(SPEAKS, json={"text": 1}, headers=headers)
    unready = await api.post("/models/not-loaded/predict", json={}, headers=headers)
    assert (bad.status_code, bad.json()["code"]) == (422, "invalid_input")
    assert (unready.status_code, unready.json()["code"]) == (503, "model_not_ready")


@pytest.mark.parametrize(
    "accept", ["*/*", "application/json", "application/json, text/event-stream", "text/event-stream;q=0.1, */*"]
)
async def test_who_prefers_json_gets_json(api: RunningApi, accept: str) -> None:
    """Events only where they are wanted more."""
    answer = await api.post("/predict", json={"input": "hello"}, headers={"Accept": accept})
    assert answer.headers["content-type"] == "application/json"


async def test_an_error_in_the_middle_is_the_end(api: RunningApi) -> None:
    """What was said before it came before it."""
    Speaks.may_go_on.release(9)
    async with opened(api, "POST", SPEAKS, json={"text": "so far !"}) as events:
        said = await events.rest()
    assert chunks(said) == ["so ", "far "]
    assert said[-1].data["error"]["message"] == "ValueError: cannot say that"


async def test_a_caller_who_goes_away_cancels(api: RunningApi) -> None:
    """The model's thread learns of it, and the record says so."""
    async with opened(api, "POST", SPEAKS, json={"text": "so it goes"}) as events:
        (start, *_) = await events.until("output")
    await wait_until(Speaks.was_told_to_stop.is_set)

    async def canceled() -> bool:
        answer = await api.get(f"/predict/{start.data['prediction_id']}")
        return answer.status_code == 200 and answer.json()["status"] == "canceled"

    await wait_until(canceled)


async def test_a_queued_prediction_streams_from_its_worker(api: RunningApi) -> None:
    """From the queue to its end, each word when it is said; its record has the progress and the log's last lines."""
    path = await queued(api, "so it goes")
    async with opened(api, "GET", path) as events:
        first = await events.next()
        assert first is not None
        assert (first.kind, first.data) == ("status", {"status": "queued", "attempt": 0})
        async with running_worker(api):
            running, log, progress, word = await events.until("output")
            assert running.data == {"status": "running", "attempt": 1}
            assert (log.kind, progress.kind, word.data) == ("log", "progress", "so ")
            record = (await api.get(path.removesuffix("/events"))).json()
            assert (record["progress"], record["progress_message"]) == (0.0, "word 1")
            assert record["log"] == ["3 words"]
            Speaks.may_go_on.release()
            assert chunks(await events.until("output")) == ["it "]
            Speaks.may_go_on.release(2)
            rest = await events.rest()
    assert kinds(rest) == ["progress", "output", "end"]
    assert rest[-1].data["output"] == "so it goes "
    record = (await api.get(path.removesuffix("/events"))).json()
    assert (record["progress"], record["progress_message"], record["log"]) == (1.0, None, ["3 words"])


async def test_a_stream_resumes_behind_the_last_event(api: RunningApi) -> None:
    """In the middle, and after the end: nothing twice, nothing left out; behind the end itself nothing follows."""
    path = await queued(api, "so it goes")
    async with running_worker(api):
        async with opened(api, "GET", path) as events:
            before = await events.until("output")
        Speaks.may_go_on.release(9)
        async with opened(api, "GET", path, headers={"Last-Event-ID": before[-1].event_id}) as events:
            behind = await events.rest()
    assert chunks(before + behind) == ["so ", "it ", "goes "]
    async with opened(api, "GET", path) as events:
        everything = await events.rest()
    numbered = [event for event in everything if event.event_id and event.kind != "end"]
    assert numbered == [event for event in before + behind if event.event_id and event.kind != "end"]
    for at, event in enumerate(numbered):
        async with opened(api, "GET", path, headers={"Last-Event-ID": event.event_id}) as events:
            rest = [each for each in await events.rest() if each.kind != "status"]
        assert rest[:-1] == numbered[at + 1 :]
        assert rest[-1].data["output"] == "so it goes "
    nothing = await api.get(path, headers={"Last-Event-ID": "end"})
    assert (nothing.status_code, nothing.content) == (204, b"")


async def test_a_queued_error_ends_the_stream(api: RunningApi) -> None:
    """With what was said before it."""
    Speaks.may_go_on.release(9)
    path = await queued(api, "so far !")
    async with running_worker(api), opened(api, "GET", path) as events:
        said = await events.rest()
    assert chunks(said) == ["so ", "far "]
    assert (said[-1].data["status"], said[-1].data["error"]["code"]) == ("failed", "model_error")


async def test_a_model_in_a_process_of_its_own_streams_too(settings: Settings) -> None:
    """Through the pipe, at once and through the queue."""
    path = "/models/speaks-apart/predict"
    async with running_api(msgspec.structs.replace(settings, models=("tests.api.models:SpeaksApart",))) as api:
        async with opened(api, "POST", path, json={"text": "so it goes"}) as events:
            at_once = await events.rest()
        async with running_worker(api), opened(api, "GET", await queued(api, "so it goes", path)) as events:
            later = [event for event in await events.rest() if event.kind != "status"]
    for said in (at_once[1:], later):
        assert kinds(said) == ["log", "output"] * 3 + ["end"]
        assert chunks(said) == ["so ", "it ", "goes "]
        assert said[0].data["line"] == f"{said[-1].data['prediction_id']} says so"


async def test_another_attempt_begins_anew(api: RunningApi) -> None:
    """Its worker is told to stop, another one takes over: the same stream goes on, and says where it begins again."""
    path = await queued(api, "so it goes")
    async with opened(api, "GET", path) as events:
        async with running_worker(api):
            first = await events.until("output")
        Speaks.may_go_on.release(9)
        async with running_worker(api):
            second = await events.rest()
    assert chunks(first) == ["so "]
    assert chunks(second) == ["so ", "it ", "goes "]
    assert second[0].kind == "status"
    begins = {event.event_id.partition("-")[0] for event in first + second if event.kind == "output"}
    assert len(begins) == 2
    async with opened(api, "GET", path) as events:
        everything = await events.rest()
    assert kinds(everything).count("status") == 2


async def test_wrong_ids_are_problems(api: RunningApi) -> None:
    """An unknown prediction, and what is no event's id."""
    unknown = await api.get("/predict/" + "0" * 32 + "/events")
    path = await queued(api, "")
    malformed = await api.get(path, headers={"Last-Event-ID": "seven"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_prediction")
    assert (malformed.status_code, malformed.json()["field"]) == (400, "Last-Event-ID")


async def test_two_hundred_idle_streams_share_their_connections(api: RunningApi) -> None:
    """Each has its own end at once; Redis sees one process, not two hundred streams."""
    paths = [await queued(api, str(number)) for number in range(10)]
    before = await connected(api)
    arrived: list[str] = []

    async def follow(client: httpx.AsyncClient, path: str) -> None:
        async with opened(client, "GET", path) as events:
            await events.next()
            arrived.append(path)
            assert (await events.rest())[-1].data["status"] == "succeeded"

    async with unlimited_client(api) as client:
        following = [asyncio.create_task(follow(client, paths[number % 10])) for number in range(200)]
        await wait_until(lambda: len(arrived) == 200)
        assert await connected(api) <= before + 2
        Speaks.may_go_on.release(10)
        async with running_worker(api):
            await asyncio.gather(*following)


def unlimited_client(api: RunningApi) -> httpx.AsyncClient:
    """httpx opens a hundred connections at most by default."""
    return httpx.AsyncClient(base_url=api.base_url, limits=httpx.Limits(max_connections=None), timeout=20)


async def connected(api: RunningApi) -> int:
    """Clients of Redis."""
    redis: RedisClient = api.services.queue
    return int((await redis.info("clients"))["connected_clients"])


async def test_a_silent_stream_is_kept_alive(api: RunningApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """By comments, which clients pass over."""
    monkeypatch.setattr(event_stream, "HEARTBEAT_S", 0.01)
    path = await queued(api, "")
    async with api.stream("GET", path) as answer:
        lines = answer.aiter_lines()
        seen: list[str] = []
        while seen.count(":") < 3:
            seen.append(await anext(lines))


async def test_open_streams_end_when_the_process_drains(api: RunningApi) -> None:
    """At once, without an end of the prediction: the client comes back with the last id it has."""
    path = await queued(api, "")
    async with opened(api, "GET", path) as events:
        await events.next()
        api.services.drain()
        assert await events.rest() == []


async def test_redis_goes_and_comes_back_under_an_open_stream(
    valkey_settings: Settings, valkey: EmbeddedServer
) -> None:
    """The stream stays open and goes on, while the lease does; a new one is refused meanwhile with 503."""
    settings = msgspec.structs.replace(valkey_settings, models=("tests.api.models:Speaks",), lease_s=60)
    async with running_api(settings) as api, running_worker(api):
        path = await queued(api, "so it goes")
        async with opened(api, "GET", path) as events:
            before = await events.until("output")
            valkey.kill()
            Speaks.may_go_on.release()
            refused = await api.get(path)
            assert (refused.status_code, refused.json()["code"]) == (503, "redis_unavailable")
            valkey.start()
            behind = await events.until("output")
            Speaks.may_go_on.release(2)
            rest = await events.rest()
    assert chunks(before + behind + rest) == ["so ", "it ", "goes "]
    assert rest[-1].data["status"] == "succeeded"
