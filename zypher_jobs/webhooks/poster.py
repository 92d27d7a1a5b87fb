"""One POST to a receiver that is not trusted: bounded in time and bytes, and only to an address that was looked at.

The name is resolved once, its addresses are checked, and the connection goes to one of those: a name that resolves to
something else a moment later (DNS rebinding) changes nothing. No redirect is followed.
"""

import asyncio
import ssl
import time
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus

import httpx

from zypher_jobs.contracts.webhook import DeliveryAttempt
from zypher_jobs.webhooks.addresses import AddressPolicy, Resolve, refusal
from zypher_jobs.webhooks.pauses import asked_pause_s

_RESPONSE_BYTES = 4096
_RESPONSE_CHARS = 500
_RESPONSE_S = 1.0
"""The longest that is waited for what follows a status, which says all that counts."""
_ADDRESSES_TRIED = 3


class Poster:
    """Sends deliveries, from the event loop that first uses it."""

    def __init__(self, policy: AddressPolicy, *, timeout_s: float, resolve: Resolve) -> None:
        self._policy = policy
        self._timeout_s = timeout_s
        self._resolve = resolve
        self._client: httpx.AsyncClient | None = None

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> DeliveryAttempt:
        """What came of it. Raises nothing but ``CancelledError``."""
        at, started_s = datetime.now(UTC), time.perf_counter()
        status, error, response, retry_after_s = None, "", "", None
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._post(httpx.URL(url), body, headers)
            status, error = answer.status_code, _error_of(answer.status_code)
            try:
                response = await _beginning(answer) if error else ""
            finally:
                await answer.aclose()
            retry_after_s = asked_pause_s(status, answer.headers.get("retry-after", ""), now=datetime.now(UTC))
        except TimeoutError:
            error = f"No answer within {self._timeout_s:g} s."
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as failure:
            error = _printable(str(failure)) or f"The connection broke ({type(failure).__name__})."
        return DeliveryAttempt(
            at=at,
            duration_ms=round((time.perf_counter() - started_s) * 1000, 3),
            status=status,
            error=error,
            response=response,
            retry_after_s=retry_after_s,
        )

    async def aclose(self) -> None:
        """Close its connections."""
        if self._client is not None:
            await self._client.aclose()

    async def _post(self, url: httpx.URL, body: bytes, headers: dict[str, str]) -> httpx.Response:
        host, port = url.host, url.port or (443 if url.scheme == "https" else 80)
        addresses = await self._resolve(host, port)
        permitted = [address for address in addresses if self._policy.permits(host, address)][:_ADDRESSES_TRIED]
        if not permitted:
            raise ValueError(refusal(host, addresses))
        client = await self._made()
        for address in permitted[:-1]:
            try:
                return await self._send(client, url, address, body, headers)
            except httpx.ConnectError:
                continue
        return await self._send(client, url, permitted[-1], body, headers)

    @staticmethod
    async def _send(
        client: httpx.AsyncClient, url: httpx.URL, address: str, body: bytes, headers: dict[str, str]
    ) -> httpx.Response:
        """To that very address; the certificate is that of the name."""
        asked = client.build_request(
            "POST",
            url.copy_with(host=address),
            content=body,
            headers={**headers, "Host": url.netloc.decode("ascii")},
            extensions={"sni_hostname": url.host},
        )
        return await client.send(asked, stream=True)

    async def _made(self) -> httpx.AsyncClient:
        """No connection is kept: the next host of the same address must show a certificate of its own."""
        if self._client is None:
            verify: ssl.SSLContext = await asyncio.to_thread(httpx.create_ssl_context)  # reads all certificates
            self._client = self._client or httpx.AsyncClient(
                headers={"User-Agent": "Zypher-Webhooks", "Accept-Encoding": "identity"},
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
                timeout=self._timeout_s,
                trust_env=False,
                verify=verify,
            )
        return self._client


def _error_of(status: int) -> str:
    if HTTPStatus(200) <= status < 300:
        return ""
    return f"It answered {status}" + (": a redirect, which is not followed." if 300 <= status < 400 else ".")


async def _beginning(answer: httpx.Response) -> str:
    """Of what it said, as far as it came."""
    received = bytearray()
    with suppress(httpx.HTTPError, TimeoutError):
        async with asyncio.timeout(_RESPONSE_S):
            async for chunk in answer.aiter_raw():
                received += chunk
                if len(received) >= _RESPONSE_BYTES:
                    break
    return _printable(received[:_RESPONSE_BYTES].decode(errors="replace"))


def _printable(text: str) -> str:
    return "".join(each for each in " ".join(text.split()) if each.isprintable())[:_RESPONSE_CHARS]
