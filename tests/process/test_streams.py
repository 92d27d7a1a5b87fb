"""Open streams while processes die and end."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import httpx

from tests.api.streams import chunks, opened
from tests.process.stack import Up

ROOT = Path(__file__).parents[2]
REPEAT = "/models/repeat/predict"


def serving(make_up: Callable[..., Up], **settings: object) -> Up:
    """With the example that streams."""
    up = make_up(models="examples.repeat.repeat:Repeat", **settings)
    up.environ["PYTHONPATH"] = str(ROOT)
    return up


async def events_of(client: httpx.AsyncClient, text: str) -> str:
    """Where those of a prediction stand that was submitted just now."""
    answer = await client.post(REPEAT, json={"text": text}, headers={"Async-Mode": "true"})
    return answer.headers["location"] + "/events"


async def test_a_stream_outlives_the_worker_it_comes_from(make_up: Callable[..., Up]) -> None:
    """SIGKILL in the middle: another attempt begins anew in the same stream, and ends."""
    up = serving(make_up)
    await up.start_and_wait()
    async with httpx.AsyncClient(base_url=up.url, timeout=40) as client:
        path = await events_of(client, "so it goes on")
        async with opened(client, "GET", path) as events:
            before = await events.until("output")
            os.kill(up.facts.pids["worker 1 of 1"], signal.SIGKILL)
            behind = await events.rest()
    assert chunks(before) == ["so "]
    assert chunks(behind)[-4:] == ["so ", "it ", "goes ", "on "]
    assert {"status": "running", "attempt": 2} in [event.data for event in behind if event.kind == "status"]
    assert behind[-1].data["output"] == "so it goes on "


async def test_open_streams_do_not_delay_the_end(make_up: Callable[..., Up]) -> None:
    """SIGTERM with one of each kind open: what is queued is let go, what runs at once ends as it would."""
    up = serving(make_up, grace_s=1)
    await up.start_and_wait()
    async with httpx.AsyncClient(base_url=up.url, timeout=40) as client:
        path = await events_of(client, "word " * 100)
        async with (
            opened(client, "GET", path) as of_queue,
            opened(client, "POST", REPEAT, json={"text": "so it goes"}) as at_once,
        ):
            await asyncio.gather(of_queue.until("output"), at_once.until("output"))
            up.signal(signal.SIGTERM)
            cut, whole = await asyncio.gather(of_queue.rest(), at_once.rest())
            assert await up.ended(timeout_s=20) == 0
    assert "end" not in [event.kind for event in cut]
    assert whole[-1].data["output"] == "so it goes "


async def test_a_stream_that_outlasts_the_grace_period_is_told_so(make_up: Callable[..., Up]) -> None:
    """SIGTERM while it runs at once: it goes on for as long as it may, and then ends with an event that says why."""
    up = serving(make_up, grace_s=1, workers=0)
    await up.start_and_wait()
    async with httpx.AsyncClient(base_url=up.url, timeout=40) as client:
        async with opened(client, "POST", REPEAT, json={"text": "word " * 1000}) as events:
            await events.until("output")
            up.signal(signal.SIGTERM)
            rest = await events.rest()
        assert await up.ended(timeout_s=20) == 0
    assert (rest[-1].kind, rest[-1].data["status"], rest[-1].data["error"]["code"]) == ("end", "canceled", "not_ready")
