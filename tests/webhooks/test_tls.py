"""Receivers behind TLS: the connection goes to the address that was looked at, the certificate is that of the name."""

import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.api.running import RunningApi
from tests.webhooks.receiver import Receiver, receiving
from tests.webhooks.steps import settled, submit
from zypher_jobs.webhooks.delivering import delivering

NAME = "hooks.example"


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """The only one that this process trusts, as an operator would have it."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return authority


@asynccontextmanager
async def receiving_as(name: str, authority: trustme.CA, asked: list[str | None]) -> AsyncGenerator[Receiver]:
    """A receiver whose certificate has a name; ``asked`` is for which it was asked (SNI)."""

    def note(_: Any, server_name: str | None, __: Any) -> None:
        asked.append(server_name)

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    issued: Any = authority.issue_cert(name)
    issued.configure_cert(context)
    context.sni_callback = note
    async with receiving(context) as receiver:
        yield receiver


async def look_up(host: str, port: int) -> list[str]:
    """Every name leads to this machine."""
    return ["127.0.0.1"]


async def delivered(api: RunningApi, receiver: Receiver, host: str = NAME) -> dict[str, Any]:
    """What became of a delivery to that host."""
    async with delivering(api.services.queue, api.settings, resolve=look_up):
        return await settled(api, await submit(api, receiver.url.replace("127.0.0.1", host)))


async def test_the_certificate_is_that_of_the_name_though_the_connection_goes_to_an_address(
    api: RunningApi, authority: trustme.CA
) -> None:
    """The name is asked for (SNI), and is in the header ``Host``."""
    asked: list[str | None] = []
    async with receiving_as(NAME, authority, asked) as receiver:
        delivery = await delivered(api, receiver)
        assert delivery["state"] == "delivered", delivery["log"]
        assert asked == [NAME]
        (received,) = receiver.received
        assert received.headers["host"].partition(":")[0] == NAME


async def test_a_certificate_of_another_name_is_refused(api: RunningApi, authority: trustme.CA) -> None:
    """Before anything is sent; even one of the very address."""
    for name in ("other.example", "127.0.0.1"):
        asked: list[str | None] = []
        async with receiving_as(name, authority, asked) as receiver:
            delivery = await delivered(api, receiver)
            assert delivery["state"] == "failed"
            assert "certificate is not valid for 'hooks.example'" in delivery["log"][0]["error"]
            assert receiver.received == []
            assert asked == [NAME] * 4


async def test_a_certificate_of_an_authority_that_nobody_knows_is_refused(
    api: RunningApi, authority: trustme.CA
) -> None:
    """However right its name is."""
    async with receiving_as(NAME, trustme.CA(), []) as receiver:
        delivery = await delivered(api, receiver)
        assert delivery["state"] == "failed"
        assert "certificate verify failed" in delivery["log"][0]["error"].lower()
        assert receiver.received == []


async def test_an_address_in_the_url_is_looked_for_in_the_certificate(api: RunningApi, authority: trustme.CA) -> None:
    """As a name is."""
    async with receiving_as("127.0.0.1", authority, []) as receiver:
        assert (await delivered(api, receiver, "127.0.0.1"))["state"] == "delivered"
