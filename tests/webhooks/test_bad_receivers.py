"""Receivers that mean no good: what never ends, or comes a byte at a time, costs a bounded time and few bytes."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from tests.api.running import RunningApi
from tests.webhooks.receiver import Endless, Receiver, answer, receiving
from tests.webhooks.steps import register, settled, submit
from zypher_jobs.webhooks.delivering import delivering

OK, BROKEN = b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 500 Broken\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n\r\n"
CHUNK = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"


IMPATIENT_S = 1.5


@pytest.fixture
async def impatient(api: RunningApi) -> AsyncIterator[None]:
    """Webhooks are delivered, each within ``IMPATIENT_S``."""
    async with delivering(api.services.queue, msgspec.structs.replace(api.settings, webhook_timeout_s=IMPATIENT_S)):
        yield


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("says", "status", "error"),
    [
        (Endless(BROKEN + CHUNKED, CHUNK), 500, "It answered 500."),
        (Endless(BROKEN + b"content-length: 999999\r\n\r\n", b"x", every_s=0.05), 500, "It answered 500."),
        (Endless(OK, b"x-more: " + b"y" * 1000 + b"\r\n"), None, ""),
        (Endless(OK, b"x: y\r\n", every_s=0.05), None, f"No answer within {IMPATIENT_S:g} s."),
        (Endless(b"", b"H", every_s=0.05), None, ""),
        (Endless(b"", b"HTTP/1.1 102 Wait\r\n\r\n", every_s=0.05), None, f"No answer within {IMPATIENT_S:g} s."),
        (b"not HTTP at all\r\n\r\n", None, ""),
        (b"HTTP/1.1 999 Unheard of\r\ncontent-length: 0\r\n\r\n", 999, "It answered 999."),
        (b"HTTP/1.1 500 Broken\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nnope", 500, "It answered 500."),
    ],
    ids=["body", "slow body", "head", "slow head", "slow status", "informational", "no HTTP", "status", "encoding"],
)
async def test_an_answer_that_never_ends_or_is_none_is_a_failed_attempt(
    api: RunningApi, receiver: Receiver, says: bytes | Endless, status: int | None, error: str
) -> None:
    """Left after the time-out, a second later at most if its status is known; the next attempt is taken."""
    receiver.says = [says, answer()]
    delivery = await settled(api, await submit(api, receiver.url))
    first, *_, last = delivery["log"]  # a busy machine may not take the next one in time either
    assert first.get("status") == status
    assert error in first["error"]
    assert first["error"]
    assert len(first["response"]) <= 500
    assert last["status"] == 200


@pytest.mark.usefixtures("impatient")
async def test_a_success_with_a_body_that_never_ends_is_a_success(api: RunningApi, receiver: Receiver) -> None:
    """The status says all that counts."""
    receiver.says = [Endless(OK + CHUNKED, CHUNK)]
    delivery = await settled(api, await submit(api, receiver.url))
    assert [attempt["status"] for attempt in delivery["log"]] == [200]


@pytest.mark.usefixtures("impatient")
async def test_a_410_with_a_body_that_never_ends_disables_all_the_same(api: RunningApi, receiver: Receiver) -> None:
    """As soon as its status is read."""
    webhook = await register(api, receiver.url)
    receiver.says = [Endless(b"HTTP/1.1 410 Gone\r\n" + CHUNKED, b"1\r\nx\r\n", every_s=0.05)]
    async_mode = {"Async-Mode": "true"}
    prediction_id = (await api.post("/predict", json={"input": "a"}, headers=async_mode)).json()["prediction_id"]
    assert (await settled(api, prediction_id))["attempts"] == 1
    assert (await api.get(f"/webhooks/{webhook['webhook_id']}")).json()["disabled_at"] is not None


@pytest.mark.usefixtures("delivers")
@pytest.mark.parametrize("status", [301, 302, 303, 308])
async def test_no_kind_of_redirect_is_followed_to_loopback(api: RunningApi, receiver: Receiver, status: int) -> None:
    """Though this test allows loopback."""
    async with receiving() as inner:
        receiver.says = [answer(status, location=inner.url), answer()]
        delivery = await settled(api, await submit(api, receiver.url))
        assert [attempt["status"] for attempt in delivery["log"]] == [status, 200]
        assert "which is not followed" in delivery["log"][0]["error"]
        assert inner.connections == 0
