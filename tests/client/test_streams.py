"""What a prediction says while it runs, through the client: in pieces, as events, over connections that break."""

import asyncio
import json
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.api.models import Speaks
from tests.api.running import RunningApi
from tests.client.scripted import ENDS, Scripted, between, problem, stream
from zypher_api.client import Event, PredictionFailed, Retries, StreamBroken, ZypherError, following
from zypher_api.client.event_parser import EventParser
from zypher_jobs.testing import wait_until
from zypher_jobs.worker import PredictionWorker

MakeClient = Callable[..., AbstractAsyncContextManager[Any]]
QUICK = Retries(first_pause_s=0.01, most_pause_s=0.02)
RUNNING = ("status", "", {"status": "running", "attempt": 1})
END = ("end", "end", {"prediction_id": "p1", "status": "succeeded", "output": "so it goes "})
TEXT = {"text": "so it goes"}


async def taken(iterator: Any) -> tuple[list[Any], Exception | None]:
    """All that comes, and the error that ends it."""
    pieces: list[Any] = []
    try:
        async for piece in iterator:
            pieces.append(piece)  # noqa: PERF401  # what came before an error stays
    except ZypherError as error:
        return pieces, error
    return pieces, None


@pytest.fixture(autouse=True)
def semaphore() -> None:
    """No word is let go yet."""
    Speaks.may_go_on = threading.Semaphore(0)
    Speaks.was_told_to_stop = threading.Event()


async def test_pieces_now(client: Any) -> None:
    """Each before the next one is made."""
    pieces: list[str] = []
    async for piece in client.stream(TEXT, model="speaks"):
        pieces.append(piece)
        Speaks.may_go_on.release()
    assert pieces == ["so ", "it ", "goes "]


async def test_who_leaves_a_stream_cancels_it(client: Any) -> None:
    """The model learns of it."""
    async with aclosing(client.stream(TEXT, model="speaks")) as pieces:
        assert await anext(pieces) == "so "
    assert await asyncio.to_thread(Speaks.was_told_to_stop.wait, 20)


async def test_a_failure_in_the_middle(client: Any) -> None:
    """Comes behind the pieces that came before it."""
    Speaks.may_go_on.release(9)
    pieces, error = await taken(client.stream({"text": "so far !"}, model="speaks"))
    assert pieces == ["so ", "far "]
    assert isinstance(error, PredictionFailed)
    assert "cannot say that" in error.message


async def test_a_model_that_does_not_stream_gives_one_piece(client: Any, worker: PredictionWorker) -> None:
    """Now and later."""
    submitted = await client.submit({"input": "hello"})
    await submitted.wait()
    for pieces in (client.stream({"input": "hello"}), submitted.stream()):
        (piece,) = [piece async for piece in pieces]
        assert piece["input"] == "hello"


async def test_events_later(client: Any, worker: PredictionWorker) -> None:
    """All of them, from the beginning and from where somebody was; behind the end there are none."""
    Speaks.may_go_on.release(9)
    submitted = await client.submit(TEXT, model="speaks")
    events = [event async for event in submitted.events()]
    assert [event.data for event in events if event.kind == "output"] == ["so ", "it ", "goes "]
    assert events[0].kind == "status"
    assert events[-1].data["output"] == "so it goes "
    second = next(event for event in events if event.data == "it ")
    rest = [event async for event in submitted.events(after=second.id)]
    assert [event.data for event in rest if event.kind == "output"] == ["goes "]
    assert [event async for event in submitted.events(after="end")] == []
    assert [piece async for piece in submitted.stream()] == ["so ", "it ", "goes "]


async def test_a_stream_that_breaks_goes_on_where_it_was(
    make_client: MakeClient, api: RunningApi, worker: PredictionWorker
) -> None:
    """Each piece comes once, over three connections."""
    async with between(api.settings.port) as line, make_client(line.url, retries=QUICK) as client:
        submitted = await client.submit(TEXT, model="speaks")
        pieces: list[str] = []
        async for piece in submitted.stream():
            pieces.append(piece)  # what came before an error stays
            line.cut()
            Speaks.may_go_on.release()
        assert pieces == ["so ", "it ", "goes "]
    followed = [head for head in line.heads if b"/events" in head]
    assert len(followed) >= 3
    assert b"last-event-id: " not in followed[0].lower()
    assert b"last-event-id: " in followed[-1].lower()


async def test_a_stream_now_that_breaks_says_so(make_client: MakeClient, api: RunningApi) -> None:
    """Nothing can be resumed: its prediction is canceled."""
    async with between(api.settings.port) as line, make_client(line.url) as client:
        pieces = client.stream(TEXT, model="speaks")
        assert await anext(pieces) == "so "
        line.cut()
        with pytest.raises(StreamBroken, match="before its end"):
            await anext(pieces)
    assert await asyncio.to_thread(Speaks.was_told_to_stop.wait, 20)


async def test_an_output_that_begins_anew(make_client: MakeClient, server: Scripted) -> None:
    """``stream`` does not mix two attempts; ``events`` tells of both."""
    lost = stream(RUNNING, ("output", "1-1", "so "))
    again = stream(("status", "", {"status": "running", "attempt": 2}), ("output", "2-1", "so "), END) + ENDS
    server.answers = [lost, again, lost, again]
    async with make_client(server.url, retries=QUICK) as client:
        handle = client.handle("p1")
        pieces, error = await taken(handle.stream())
        events = [event async for event in handle.events()]
    assert pieces == ["so "]
    assert isinstance(error, StreamBroken)
    assert "begun again" in error.message
    assert error.prediction_id == "p1"
    assert [event.kind for event in events] == ["status", "output", "status", "output", "end"]
    assert [asked.headers.get("last-event-id") for asked in server.asked] == [None, "1-1", None, "1-1"]


async def test_pieces_that_are_kept_no_more(make_client: MakeClient, server: Scripted) -> None:
    """Whoever wants the whole output is told where it is."""
    server.answers = [stream(RUNNING, ("gap", "", {"missing": 3}))]
    async with make_client(server.url) as client:
        with pytest.raises(StreamBroken, match="3 events are kept no more"):
            _ = [piece async for piece in client.handle("p1").stream()]


async def test_an_event_that_is_cut_in_half_comes_once(make_client: MakeClient, server: Scripted) -> None:
    """The half is forgotten; while the server is away, and says so, it is asked again."""
    half = stream(RUNNING, ("output", "1-1", "so "), then=b'event: output\nid: 1-2\ndata: "i')
    rest = stream(RUNNING, ("output", "1-2", "it "), ("output", "1-3", "goes "), END) + ENDS
    server.answers = [half, b"", problem(503, "redis_unavailable"), rest]
    async with make_client(server.url, retries=QUICK) as client:
        assert [piece async for piece in client.handle("p1").stream()] == ["so ", "it ", "goes "]
    assert [asked.headers.get("last-event-id") for asked in server.asked] == [None, "1-1", "1-1", "1-1"]


async def test_a_stream_that_ends_politely_is_opened_again(
    make_client: MakeClient, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its server drains; another one goes on."""
    monkeypatch.setattr(following, "RECONNECT_S", 0.01)
    server.answers = [stream(RUNNING) + ENDS, stream(RUNNING, END) + ENDS]
    async with make_client(server.url) as client:
        assert [event.kind async for event in client.handle("p1").events()] == ["status", "end"]


async def test_a_server_that_falls_silent(
    make_client: MakeClient, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without heartbeats the connection is taken for dead, and made again."""
    monkeypatch.setattr(following.requests, "SILENCE_S", 0.3)
    server.answers = [None, stream(RUNNING, END) + ENDS]
    async with make_client(server.url, retries=QUICK) as client:
        assert [event.kind async for event in client.handle("p1").events()] == ["status", "end"]
    assert len(server.asked) == 2


async def test_progress(client: Any, worker: PredictionWorker) -> None:
    """Whoever waits sees it change, up to the end."""
    seen: list[Any] = []

    def look(prediction: Any) -> None:
        seen.append(prediction)

    submitted = await client.submit(TEXT, model="speaks")
    waiting = asyncio.create_task(submitted.wait(timeout_s=60, on_progress=look))
    await wait_until(lambda: any(each.progress_message == "word 1" for each in seen), timeout_s=30)
    Speaks.may_go_on.release()
    await wait_until(lambda: any(each.progress_message == "word 2" for each in seen), timeout_s=30)
    Speaks.may_go_on.release(9)
    assert await waiting == "so it goes "
    assert seen[-1].status == "succeeded"


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.text(max_size=5)), max_size=5), st.data())
def test_bytes_may_come_in_any_pieces(said: list[tuple[str, str]], data: st.DataObject) -> None:
    """The same events come out, with heartbeats and either line end between them."""
    end = data.draw(st.sampled_from(["\n", "\r\n"]))
    lines: list[str] = []
    for number, (kind, value) in enumerate(said):
        lines += [": heartbeat", "", f"event: {kind}", f"id: {number}"]
        lines += [f"data: {json.dumps(value, ensure_ascii=False)}", ""]
    text = "".join(line + end for line in lines).encode()
    parser, events, at = EventParser(), list[Event](), 0
    while at < len(text):
        size = data.draw(st.integers(1, 20))
        events += parser.feed(text[at : at + size])
        at += size
    assert events == [Event(kind=kind, data=value, id=str(number)) for number, (kind, value) in enumerate(said)]
