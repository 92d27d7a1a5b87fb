"""What the client tries again, when, and what it never does twice."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from tests.client.scripted import Scripted, problem, says
from zypher_api.client import (
    Conflict,
    Forbidden,
    Invalid,
    PredictionExpired,
    PredictionFailed,
    RateLimited,
    Retries,
    ServerError,
    Unavailable,
    Unreachable,
)

MakeClient = Callable[..., AbstractAsyncContextManager[Any]]
ACCEPTED = says(202, {"prediction_id": "p1", "status": "queued", "queue_position": 0, "location": "/predict/p1"})
RECORD = {"prediction_id": "p1", "model": "m", "mode": "async", "created_at": "2026-11-25T12:00:00Z"}
SUCCEEDED = says(200, RECORD | {"status": "succeeded", "output": 7})
QUICK = Retries(first_pause_s=0.01, most_pause_s=0.02)
BREAKS = b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"
"""A connection that ends in the middle of its answer."""


@pytest.mark.parametrize(("status", "code"), [(429, "queue_full"), (503, "redis_unavailable")])
async def test_not_now_is_tried_again(make_client: MakeClient, server: Scripted, status: int, code: str) -> None:
    """No earlier than ``Retry-After`` has it, with the same ``Idempotency-Key`` and the same body."""
    server.answers = [problem(status, code, retry_after="1"), ACCEPTED]
    async with make_client(server.url) as client:
        started_s = time.monotonic()
        handle = await client.submit({"input": "x"})
    assert time.monotonic() - started_s >= 1
    first, second = server.asked
    assert handle.id == "p1"
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"] != ""
    assert (first.method, first.path, first.body) == ("POST", "/predict", b'{"input":"x"}')
    assert second.body == first.body
    assert first.headers["prefer"] == "respond-async"


async def test_a_connection_that_breaks_is_made_again(make_client: MakeClient, server: Scripted) -> None:
    """Before the answer and in the middle of it; a submit has the same key, another submit another one."""
    server.answers = [b"", BREAKS, ACCEPTED, b"", SUCCEEDED, ACCEPTED]
    async with make_client(server.url, retries=QUICK) as client:
        handle = await client.submit({"input": "x"})
        assert await handle.wait() == 7
        await client.submit({"input": "x"}, idempotency_key="mine")
    keys = [asked.headers.get("idempotency-key") for asked in server.asked]
    assert len(set(keys[:3])) == 1
    assert keys[3:] == [None, None, '"mine"']


async def test_an_answer_now_is_asked_for_twice_only_with_a_key(make_client: MakeClient, server: Scripted) -> None:
    """Without one it may run twice; with one the server says when an earlier try is still under way."""
    server.answers = [BREAKS]
    async with make_client(server.url, retries=QUICK) as client:
        with pytest.raises(Unreachable):
            await client.predict({"input": "x"})
        assert "idempotency-key" not in server.asked[0].headers
        early = problem(409, "request_outstanding", retry_after="0")
        server.answers = [BREAKS, early, early, says(200, 7)]
        assert await client.predict({"input": "x"}, idempotency_key="k") == 7
    assert [asked.headers["idempotency-key"] for asked in server.asked[1:]] == ['"k"'] * 4


async def test_what_would_wait_too_long_is_said_at_once(make_client: MakeClient, server: Scripted) -> None:
    """With how long it would be."""
    server.answers = [problem(429, "rate_limited", retry_after="3600")]
    async with make_client(server.url) as client:
        with pytest.raises(RateLimited) as limited:
            await client.predict({"input": "x"})
    assert limited.value.retry_after_s == 3600
    assert len(server.asked) == 1


async def test_patience_ends(make_client: MakeClient, server: Scripted) -> None:
    """With what the server said last; 0 is one try."""
    server.answers = [problem(503, "model_not_ready")] * 100
    async with make_client(server.url, retries=Retries(call_s=0.2, first_pause_s=0.01)) as client:
        with pytest.raises(Unavailable):
            await client.get("p1")
        assert 2 < len(server.asked) < 20
    server.asked.clear()
    async with make_client(server.url, retries=Retries(call_s=0)) as client:
        with pytest.raises(Unavailable):
            await client.get("p1")
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (problem(400, "malformed_request"), Invalid),
        (problem(403, "forbidden"), Forbidden),
        (problem(409, "conflict"), Conflict),
        (problem(413, "body_too_large"), Invalid),
        (problem(418, "of_a_later_version"), Invalid),
        (problem(422, "remote_refused"), PredictionFailed),
        (problem(500, "internal_error"), ServerError),
        (problem(500, "of_a_model", prediction_id="p1"), PredictionFailed),
        (problem(503, "remote_unavailable", prediction_id="p1"), PredictionFailed),
        (problem(504, "expired"), PredictionExpired),
        (problem(504, "timeout"), PredictionFailed),
        (says(502, b"<html>Bad gateway</html>"), ServerError),
        (says(301, b"", location="/elsewhere"), Invalid),
    ],
)
async def test_what_will_not_pass_is_not_tried_again(
    make_client: MakeClient, server: Scripted, answer: bytes, error: type[Exception]
) -> None:
    """Each is an error of its own."""
    server.answers = [answer]
    async with make_client(server.url, retries=QUICK) as client:
        with pytest.raises(error):
            await client.predict({"input": "x"})
    assert len(server.asked) == 1


async def test_a_wait_lives_through_an_outage_of_redis(make_client: MakeClient, server: Scripted) -> None:
    """And through a server that says that it drains: it is not asked again without a pause."""
    running = says(200, RECORD | {"status": "running"}, retry_after="1")
    server.answers = [problem(503, "redis_unavailable", retry_after="1"), running, SUCCEEDED]
    async with make_client(server.url) as client:
        started_s = time.monotonic()
        assert await client.handle("p1", output_type=int).wait(timeout_s=60) == 7
    assert time.monotonic() - started_s >= 2
    assert server.asked[0].path == "/predict/p1?wait=30.000"


async def test_a_stream_that_may_have_begun_is_not_asked_for_again(make_client: MakeClient, server: Scripted) -> None:
    """It would begin another prediction."""
    server.answers = [b""]
    async with make_client(server.url, retries=QUICK) as client:
        with pytest.raises(Unreachable):
            _ = [piece async for piece in client.stream({"input": "x"})]
    (asked,) = server.asked
    assert asked.headers["accept"] == "text/event-stream"
    assert "idempotency-key" not in asked.headers


async def test_a_task_that_is_canceled_ends_its_wait(server: Scripted) -> None:
    """At once, with its connection."""
    from zypher_api.client import AsyncClient

    async with AsyncClient(server.url) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await client.handle("p1").wait()
