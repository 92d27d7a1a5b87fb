"""Where deliveries may go, and that they go nowhere else."""

import socket
import threading
from typing import Any

import pytest

from tests.api.running import RunningApi
from tests.webhooks.receiver import Receiver, answer
from tests.webhooks.steps import ASYNC, settled, submit
from zypher_jobs.testing import wait_until
from zypher_jobs.webhooks.addresses import AddressPolicy, resolve
from zypher_jobs.webhooks.delivering import delivering

INNER = [
    *("127.0.0.1", "127.8.9.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "0.1.2.3"),
    *("100.64.0.1", "192.0.0.8", "198.18.0.1", "192.0.2.1", "224.0.0.1", "239.1.2.3", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "fec0::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::a00:1"),
    *("2002:7f00:1::", "2001:0:1::", "100::1", "3fff::1"),
]
OUTER = ["8.8.8.8", "1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e"]


@pytest.mark.parametrize("address", INNER)
def test_an_address_that_not_everybody_can_reach_is_refused(address: str) -> None:
    """However it is written, and whatever the name was."""
    assert not AddressPolicy([]).permits("example.com", address)


@pytest.mark.parametrize("address", OUTER)
def test_a_public_address_is_permitted(address: str) -> None:
    """Of both families."""
    assert AddressPolicy([]).permits("example.com", address)


def test_what_is_allowed_by_name_address_or_network_is_permitted() -> None:
    """And nothing beside it."""
    policy = AddressPolicy(["hooks.internal", "10.1.0.0/16", "fd00::7"])
    assert policy.permits("Hooks.Internal.", "192.168.0.1")
    assert policy.permits("x", "10.1.2.3")
    assert policy.permits("x", "fd00::7")
    assert not policy.permits("other.hooks.internal", "192.168.0.1")
    assert not policy.permits("x", "10.2.0.1")


@pytest.mark.parametrize(
    "url",
    [
        *("http://10.0.0.1/", "http://[::1]/", "http://[::ffff:10.0.0.1]/", "http://[fe80::1%25eth0]/"),
        *("ftp://example.com/", "example.com", "http://", "http://user:pw@example.com/", "http://exa mple.com/"),
        *("http://example.com:0/", "http://example.com:99999/", "http://[::1/", "https://example.com/" + "a" * 2048),
    ],
)
async def test_a_url_that_cannot_be_right_is_refused_at_once(api: RunningApi, url: str) -> None:
    """At the submit and at the registration, with the field's name; nothing is queued."""
    given = await api.post("/predict", json={"input": "a"}, headers=ASYNC | {"Webhook-Url": url})
    assert (given.status_code, given.json()["field"]) == (400, "Webhook-Url")
    registered = await api.post("/webhooks", json={"url": url})
    assert (registered.status_code, registered.json()["field"]) == (422, "$.url")


async def test_a_name_is_looked_up_once_an_attempt_and_checked_each_time(api: RunningApi, receiver: Receiver) -> None:
    """One that leads to a private address the second time reaches nobody there: DNS rebinding."""
    answers = [["127.0.0.1"], ["10.0.0.1"], ["169.254.169.254", "::1"], ["127.0.0.1"]]
    looked_up: list[str] = []

    async def look_up(host: str, port: int) -> list[str]:
        looked_up.append(host)
        return answers[len(looked_up) - 1]

    receiver.says = [answer(500), answer()]
    async with delivering(api.services.queue, api.settings, resolve=look_up):
        url = receiver.url.replace("127.0.0.1", "rebinds.example")
        delivery = await settled(api, await submit(api, url))
    assert delivery["state"] == "delivered"
    assert looked_up == ["rebinds.example"] * 4
    refused = [attempt["error"] for attempt in delivery["log"][1:3]]
    assert all("is no public address" in error for error in refused)
    assert "169.254.169.254" in refused[1]
    assert receiver.connections == 2
    assert {received.headers["host"].partition(":")[0] for received in receiver.received} == {"rebinds.example"}


async def test_a_name_of_this_machine_is_refused_after_it_was_resolved(api: RunningApi, receiver: Receiver) -> None:
    """``localhost``, by the system's own resolver, where nothing is allowed."""
    assert "127.0.0.1" in await resolve("localhost", 80) or "::1" in await resolve("localhost", 80)
    strict = AddressPolicy([])
    assert not any(strict.permits("localhost", address) for address in await resolve("localhost", 80))


async def test_a_name_that_is_not_known_is_a_failed_attempt(api: RunningApi, receiver: Receiver) -> None:
    """It may be known later."""

    async def look_up(host: str, port: int) -> list[str]:
        raise OSError("Name or service not known")

    async with delivering(api.services.queue, api.settings, resolve=look_up):
        delivery = await settled(api, await submit(api, "http://nowhere.example/hook"))
    assert (delivery["state"], delivery["attempts"]) == ("failed", 4)
    assert delivery["log"][0]["error"] == "Name or service not known"


async def test_of_several_addresses_only_those_that_are_permitted_are_tried(
    api: RunningApi, receiver: Receiver
) -> None:
    """One that answers nothing is passed over for the next."""

    async def look_up(host: str, port: int) -> list[str]:
        return ["10.0.0.1", "127.0.0.2", "127.0.0.1"]

    async with delivering(api.services.queue, api.settings, resolve=look_up):
        url = receiver.url.replace("127.0.0.1", "several.example")
        delivery = await settled(api, await submit(api, url))
    assert [attempt["status"] for attempt in delivery["log"]] == [200]
    assert receiver.connections == 1


@pytest.mark.usefixtures("delivers")
async def test_a_name_server_that_hangs_holds_up_nobody_else(
    api: RunningApi, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More look-ups than the event loop has threads hang; others are resolved, and a drain waits for none of them."""
    hangs, asked = threading.Event(), list[str]()
    real = socket.getaddrinfo

    def look_up(host: Any, *args: Any, **options: Any) -> Any:
        if isinstance(host, str) and host.endswith(".slow.example"):
            asked.append(host)
            hangs.wait(60)
        return real("127.0.0.1" if host == "quick.example" else host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    try:
        async with delivering(api.services.queue, api.settings):
            for number in range(40):
                await submit(api, f"http://{number}.slow.example/hook")
            await wait_until(lambda: len(set(asked)) == 40)
            url = receiver.url.replace("127.0.0.1", "quick.example")
            assert (await settled(api, await submit(api, url)))["state"] == "delivered"
    finally:
        hangs.set()
