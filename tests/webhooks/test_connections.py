"""Connections to receivers are used again for a moment, each to an address that was looked at."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.api.running import RunningApi
from tests.webhooks.receiver import Receiver, answer
from tests.webhooks.steps import settled, submit
from zypher_jobs.testing import wait_until
from zypher_jobs.webhooks import poster
from zypher_jobs.webhooks.delivering import delivering


@pytest.fixture
async def names(api: RunningApi, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[str]]:
    """Webhooks are delivered, connections kept for a minute; those names that were looked up."""
    monkeypatch.setattr(poster, "KEPT_S", 60.0)
    looked_up: list[str] = []

    async def look_up(host: str, port: int) -> list[str]:
        looked_up.append(host)
        return ["127.0.0.1"]

    async with delivering(api.services.queue, api.settings, resolve=look_up):
        yield looked_up


async def delivered(api: RunningApi, receiver: Receiver, host: str) -> dict[str, Any]:
    """What became of a delivery to that host."""
    return await settled(api, await submit(api, receiver.url.replace("127.0.0.1", host)))


async def test_a_connection_is_used_again_for_the_same_name_only(
    api: RunningApi, receiver: Receiver, names: list[str]
) -> None:
    """Another name at the same address gets one of its own, so that its certificate is looked at."""
    receiver.keeps_open = True
    receiver.says = [answer(200, b"thanks"), answer(500, b"no"), answer()]
    for host in ("one.example", "one.example", "one.example", "other.example", "one.example"):
        assert (await delivered(api, receiver, host))["state"] == "delivered"
    assert names == ["one.example", "other.example"]
    assert receiver.connections == 2
    assert [received.headers["host"].partition(":")[0] for received in receiver.received] == [
        *(["one.example"] * 4),  # one was sent twice
        *("other.example", "one.example"),
    ]


async def test_a_kept_connection_that_the_receiver_closes_is_no_failure(
    api: RunningApi, receiver: Receiver, names: list[str]
) -> None:
    """Closed under the very request: the same attempt goes on over a new one."""
    receiver.keeps_open = True
    receiver.says = [answer(), b"", answer()]
    assert (await delivered(api, receiver, "one.example"))["attempts"] == 1
    second = await delivered(api, receiver, "one.example")
    assert (second["state"], second["attempts"]) == ("delivered", 1)
    assert names == ["one.example"] * 2
    assert len({received.headers["webhook-id"] for received in receiver.received}) == 2
    assert len(receiver.received) == 3


async def test_a_new_connection_that_the_receiver_closes_is_a_failure(
    api: RunningApi, receiver: Receiver, names: list[str]
) -> None:
    """Tried again by the schedule, not at once."""
    receiver.says = [b"", answer()]
    delivery = await delivered(api, receiver, "one.example")
    assert [attempt.get("status") for attempt in delivery["log"]] == [None, 200]


async def test_a_receiver_that_says_more_than_fits_gets_a_new_connection(
    api: RunningApi, receiver: Receiver, names: list[str]
) -> None:
    """What it says after a success is not read to its end."""
    receiver.keeps_open = True
    receiver.says = [answer(200, b"x" * 100_000), answer()]
    for _ in range(2):
        assert (await delivered(api, receiver, "one.example"))["attempts"] == 1
    await wait_until(lambda: receiver.connections == 2)
