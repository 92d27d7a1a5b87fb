"""``/history``: what the figures were; who writes them down."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from tests.api.running import RunningApi
from zypher_jobs.contracts.prediction import Status, SyncOutcome
from zypher_jobs.contracts.stats import Health, Overview
from zypher_jobs.queue import PredictionQueue, keys
from zypher_jobs.queue.historian import Historian
from zypher_jobs.settings import Settings
from zypher_jobs.testing import wait_until


@pytest.fixture
def api_settings(settings: Settings) -> Settings:
    """The API's process does not write: the tests do."""
    return msgspec.structs.replace(settings, history_s=0)


def historian_of(api: RunningApi, every_s: float) -> Historian:
    """One that writes so often."""
    return Historian(api.services.queue, api.services.queue.inspect, kept_s=3600, every_s=every_s)


async def test_it_says_what_the_figures_were(api: RunningApi) -> None:
    """Without predictions; with the health, where an API process wrote it."""
    await api.services.queue.submit("mock", {"input": "a"})
    assert (await api.get("/history")).json() == {"frames": []}
    historian = historian_of(api, every_s=0.01)
    await historian.record(api.services.health)
    (frame,) = (await api.get("/history")).json()["frames"]
    assert frame["overview"]["queue"]["depth"] == 1
    assert frame["overview"]["latest"] == []
    assert frame["health"]["models"]["mock"]["ok"] is True


async def test_a_time_is_asked_for_and_frames_are_evenly_apart(api: RunningApi) -> None:
    """Those of that time; not more than asked for; nothing of a time that was not recorded."""
    historian = historian_of(api, every_s=0.02)
    began = datetime.now(UTC)

    async def ten_or_more() -> list[Any]:
        await historian.record()  # writes nothing while the last turn lasts
        query = {"since": began.isoformat(), "until": datetime.now(UTC).isoformat(), "most": 2000}
        frames = (await api.get("/history", params=query)).json()["frames"]
        return frames if len(frames) >= 10 else []

    whole = await wait_until(ten_or_more)
    since, until = whole[1]["at"], whole[-2]["at"]
    part = (await api.get("/history", params={"since": since, "until": until, "most": 4})).json()["frames"]
    assert 1 <= len(part) <= 4
    assert all(since <= each["at"] <= until for each in part)
    long_ago = {"since": "0518-03-20T19:54:36Z", "until": "1242-08-23T20:51:33Z"}
    for query in ({"until": "2020-01-01T00:00:00Z"}, {"since": "2999-01-01T00:00:00Z"}, long_ago):
        assert (await api.get("/history", params=query)).json() == {"frames": []}


@pytest.mark.parametrize(
    ("query", "field"),
    [("since=yesterday", "since"), ("until=1", "until"), ("most=0", "most"), ("most=2001", "most"), ("form=1", "form")],
)
async def test_what_cannot_be_asked_is_refused(api: RunningApi, query: str, field: str) -> None:
    """With the name of it."""
    refused = await api.get(f"/history?{query}")
    assert (refused.status_code, refused.json()["field"]) == (400, field)


async def test_one_of_many_writes_and_another_goes_on(settings: Settings) -> None:
    """Whoever lives: while there are three, there is one frame each turn; with the writer gone the next one writes."""
    queue = PredictionQueue.from_settings(settings)
    wrote: list[int] = []

    def health_by(number: int) -> "HealthBy":
        return HealthBy(number, wrote)

    historians = [Historian(queue, queue.inspect, kept_s=3600, every_s=0.2) for _ in range(3)]
    tasks = [asyncio.create_task(each.keep_recording(health_by(number))) for number, each in enumerate(historians)]
    began_s = asyncio.get_running_loop().time()
    await wait_until(lambda: len(wrote) >= 4)
    assert len(wrote) <= (asyncio.get_running_loop().time() - began_s) / 0.2 + 1
    while len(tasks) > 1:
        written = len(wrote)
        await _ended(tasks.pop())
        await wait_until(lambda written=written: len(wrote) > written + 1)
    await _ended(tasks.pop())
    now = datetime.now(UTC)
    frames = await queue.inspect.history(since=now - timedelta(minutes=1), until=now, most=2000)
    assert len(wrote) - 3 <= len(frames) <= len(wrote)  # one that ends may have had a frame in its hands
    await queue.aclose()


async def test_a_frame_that_cannot_be_written_is_followed_by_others(settings: Settings) -> None:
    """Whatever was in the way: here somebody else's key."""
    queue = PredictionQueue.from_settings(settings)
    await queue.set(keys.HISTORY, "mine")
    historian = Historian(queue, queue.inspect, kept_s=3600, every_s=0.02)
    task = asyncio.create_task(historian.keep_recording())
    await wait_until(lambda: queue.exists(keys.HISTORY_TURN))
    await queue.delete(keys.HISTORY)
    await wait_until(lambda: queue.xlen(keys.HISTORY))
    await _ended(task)
    await queue.aclose()


async def test_a_usual_frame_is_small(api: RunningApi) -> None:
    """Twelve hours of them are some MB: below 2 kB each, with counts of three models."""
    queue = api.services.queue
    for model in ("mock", "digits", "encoder"):
        outcomes = [_outcome(f"{model}{number}", model, number) for number in range(40)]
        await queue.record_sync(outcomes)
    await historian_of(api, every_s=0.01).record(api.services.health)
    ((_, fields),) = await queue.xrange(keys.HISTORY)
    assert len(fields[b"frame"]) < 2_000
    (frame,) = (await api.get("/history")).json()["frames"]
    assert sum(each["count"] for each in frame["overview"]["counts"]) == 120


def _outcome(prediction_id: str, model: str, number: int) -> SyncOutcome:
    return SyncOutcome(
        prediction_id=prediction_id,
        model=model,
        status=Status.SUCCEEDED,
        input=None,
        created_at_ms=1_795_435_200_000,
        started_at_ms=1_795_435_200_000 + number,
        run_ms=number * 37.0,
        worker="api-1",
        keep_record=False,
    )


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


class HealthBy:
    """Says of each frame who wrote it."""

    def __init__(self, number: int, wrote: list[int]) -> None:
        self._number = number
        self._wrote = wrote

    def __call__(self, overview: Overview) -> Health:
        """See ``Historian``."""
        self._wrote.append(self._number)
        part = {"ok": True}
        fields = {"status": "ok", "version": "1", "uptime_s": 1, "redis": part, "workers": part, "workers_alive": 0}
        return msgspec.convert({**fields, "models": {}}, Health)


async def test_it_reaches_back_so_far_and_a_frame_of_another_version_is_left_out(settings: Settings) -> None:
    """The stream is bounded; 0 records nothing; what cannot be read is no error."""
    queue = PredictionQueue.from_settings(settings)
    short = Historian(queue, queue.inspect, kept_s=1, every_s=0.001)
    for _ in range(300):
        await asyncio.sleep(await short.record())
    assert await queue.xlen(keys.HISTORY) < 1300
    await queue.xadd(keys.HISTORY, {"frame": b"?"})
    now = datetime.now(UTC)
    frames = await queue.inspect.history(since=now - timedelta(hours=1), until=now + timedelta(minutes=1), most=2000)
    assert len(frames) >= 1
    await queue.delete(keys.HISTORY)
    await Historian(queue, queue.inspect, kept_s=0).keep_recording()
    assert await queue.xlen(keys.HISTORY) == 0
    await queue.aclose()
