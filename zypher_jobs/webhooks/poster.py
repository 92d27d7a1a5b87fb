"""One POST to a receiver that is not trusted: bounded in time and bytes, and only to an address that was looked at.

Whenever a connection is made, the name is resolved once, its addresses are checked, and the connection goes to one of
those: a name that resolves to something else a moment later (DNS rebinding) changes nothing. The certificate is that of
the name. No redirect is followed.
"""

import asyncio
import ssl
import time
from collections.abc import Iterable
from contextlib import suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import httpcore
import httpx
from httpcore import SOCKET_OPTION

from zypher_jobs.contracts.webhook import DeliveryAttempt
from zypher_jobs.webhooks.addresses import AddressPolicy, Resolve, refusal
from zypher_jobs.webhooks.pauses import asked_pause_s

KEPT = 64
"""Connections that wait for the next delivery to the same host."""
KEPT_S = 2.0
"""How long: less than receivers keep theirs."""
_RESPONSE_BYTES = 4096
_RESPONSE_CHARS = 500
_RESPONSE_S = 1.0
"""The longest that is waited for what follows a status, which says all that counts."""
_GOODBYE_S = 0.1
"""The same behind a success: a connection whose answer has been read can be used again."""
_ADDRESSES_TRIED = 3
_HEADERS: dict[bytes | str, bytes | str] = {
    "User-Agent": "Zypher-Webhooks",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
}
_FAILURES = (
    *(httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, httpcore.UnsupportedProtocol),
    *(OSError, ValueError),
)
_STALE = (httpcore.RemoteProtocolError, httpcore.ReadError, httpcore.WriteError)
_connected: ContextVar[bool] = ContextVar("_connected")
"""Whether the request that this task makes has a connection of its own."""


class Poster:
    """Sends deliveries, from the event loop that first uses it."""

    def __init__(self, policy: AddressPolicy, *, timeout_s: float, resolve: Resolve) -> None:
        self._timeout_s = timeout_s
        self._network = _CheckedNetwork(policy, resolve)
        self._pool: httpcore.AsyncConnectionPool | None = None

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> DeliveryAttempt:
        """What came of it. Raises nothing but ``CancelledError``."""
        at, started_s = datetime.now(UTC), time.perf_counter()
        status, error, response, retry_after_s = None, "", "", None
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._post(url, body, headers)
            status, error = answer.status, _error_of(answer.status)
            try:
                response = await _beginning(answer, within_s=_RESPONSE_S if error else _GOODBYE_S)
            finally:
                await answer.aclose()
            retry_after_s = asked_pause_s(status, _header(answer, b"retry-after"), now=datetime.now(UTC))
        except TimeoutError:
            error = f"No answer within {self._timeout_s:g} s."
        except _FAILURES as failure:
            error = _printable(str(failure)) or f"The connection broke ({type(failure).__name__})."
        return DeliveryAttempt(
            at=at,
            duration_ms=round((time.perf_counter() - started_s) * 1000, 3),
            status=status,
            error=error,
            response=response if error else "",
            retry_after_s=retry_after_s,
        )

    async def aclose(self) -> None:
        """Close its connections."""
        if self._pool is not None:
            await self._pool.aclose()

    async def _post(self, url: str, body: bytes, headers: dict[str, str]) -> httpcore.Response:
        to = httpcore.URL(url)
        port = "" if to.port is None else f":{to.port}"
        host = to.host.decode("ascii")
        named: dict[bytes | str, bytes | str] = {
            "Host": (f"[{host}]" if ":" in host else host) + port,
            "Content-Length": str(len(body)),
        }
        pool = await self._made()
        while True:
            _connected.set(False)
            try:
                return await pool.handle_async_request(
                    httpcore.Request("POST", to, headers=named | _HEADERS | headers, content=body)
                )
            except _STALE:
                if _connected.get():
                    raise
                # the receiver had closed one that was kept: each of those is left once

    async def _made(self) -> httpcore.AsyncConnectionPool:
        if self._pool is None:
            trusted: ssl.SSLContext = await asyncio.to_thread(httpx.create_ssl_context)  # reads all certificates
            self._pool = self._pool or httpcore.AsyncConnectionPool(
                ssl_context=trusted,
                max_connections=None,
                max_keepalive_connections=KEPT,
                keepalive_expiry=KEPT_S,
                network_backend=self._network,
            )
        return self._pool


class _CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to the addresses of a host that the policy permits, and to no other."""

    def __init__(self, policy: AddressPolicy, resolve: Resolve) -> None:
        self._policy = policy
        self._resolve = resolve
        self._network: Any = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises ``ValueError`` where none is permitted."""
        _connected.set(True)
        addresses = await self._resolve(host, port)
        permitted = [address for address in addresses if self._policy.permits(host, address)][:_ADDRESSES_TRIED]
        if not permitted:
            raise ValueError(refusal(host, addresses))
        for address in permitted[:-1]:
            with suppress(httpcore.ConnectError):
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
        return await self._network.connect_tcp(permitted[-1], port, timeout, local_address, socket_options)


def _header(answer: httpcore.Response, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in answer.headers if key.lower() == name), "")


def _error_of(status: int) -> str:
    if HTTPStatus(200) <= status < 300:
        return ""
    return f"It answered {status}" + (": a redirect, which is not followed." if 300 <= status < 400 else ".")


async def _beginning(answer: httpcore.Response, *, within_s: float) -> str:
    """Of what it said, as far as it came."""
    received = bytearray()
    with suppress(httpcore.NetworkError, httpcore.ProtocolError, TimeoutError):
        async with asyncio.timeout(within_s):
            async for chunk in answer.aiter_stream():
                received += chunk
                if len(received) >= _RESPONSE_BYTES:
                    break
    return _printable(received[:_RESPONSE_BYTES].decode(errors="replace"))


def _printable(text: str) -> str:
    return "".join(each for each in " ".join(text.split()) if each.isprintable())[:_RESPONSE_CHARS]
