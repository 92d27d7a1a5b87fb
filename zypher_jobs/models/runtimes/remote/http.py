"""One HTTP exchange with a server that is not trusted: bounded in time, in bytes, and in what it can make of them."""

import asyncio
import ssl
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

CONNECT_TIMEOUT_S = 5.0
KEEP_ALIVE_S = 3.0
"""Servers close what is idle for 5 s; a request that is on its way then is lost."""
_MOST_ERROR_BYTES = 64 * 1024
_LONGEST_SENTENCE = 300


class Unusable(Exception):
    """What came is no answer that can be read; the message is the end of a sentence, without its full stop."""


class Stale(httpx.TransportError):
    """A kept connection broke before an answer came: most likely it was closed already when the request was sent.

    Servers on uvicorn close theirs behind each answer 500.
    """


class Answer(msgspec.Struct, frozen=True):
    """What a server answered."""

    status: int
    headers: httpx.Headers
    body: bytes
    """Of an error its beginning."""

    @property
    def said(self) -> str:
        """``answered 404: no such model``: in one printable line, not too long, without a full stop."""
        code = f"answered {self.status}"
        if 300 <= self.status < 400:
            return f"{code}: a redirect, which is not followed"
        sentence = cleaned(_sentence_of(self.body, self.headers.get("content-type", "")))
        return f"{code}: {sentence}" if sentence else code


def make_client(url: str, *, api_key: str | None, connections: int) -> httpx.AsyncClient:
    """Belongs to the event loop that first uses it. Takes a moment for ``https://``, to read the certificates."""
    headers = {"Accept-Encoding": "identity"}
    if api_key is not None:
        headers["Authorization"] = f"Bearer {api_key}"
    parts = urlsplit(url)
    verify: ssl.SSLContext | bool = parts.scheme == "https" and httpx.create_ssl_context()
    return httpx.AsyncClient(
        headers=headers,
        limits=httpx.Limits(
            max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=KEEP_ALIVE_S
        ),
        timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT_S),
        trust_env=parts.hostname not in {"127.0.0.1", "localhost", "::1"},  # a proxy cannot reach this machine's own
        verify=verify,
    )


async def ask(
    client: httpx.AsyncClient,
    url: str,
    *,
    most_bytes: int,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    """GET, or POST of a body. Canceled, it closes the connection.

    Raises ``httpx.TransportError`` where the server cannot be reached, ``Stale`` if a new connection may reach it, and
    ``Unusable`` for what cannot be read.
    """
    is_new = False

    async def trace(event: str, _: Any) -> None:
        nonlocal is_new
        is_new = is_new or event == "connection.connect_tcp.started"

    asked = client.build_request(
        "GET" if body is None else "POST", url, content=body, headers=headers, extensions={"trace": trace}
    )
    try:
        answer = await client.send(asked, stream=True)
    except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError) as error:
        if is_new:
            raise
        raise Stale(str(error)) from error
    try:
        return await _read(answer, most_bytes)
    finally:
        await answer.aclose()


async def ask_within(timeout_s: float, client: httpx.AsyncClient, url: str, *, most_bytes: int) -> Answer:
    """GET; raises ``TimeoutError`` too."""
    async with asyncio.timeout(timeout_s):
        return await ask(client, url, most_bytes=most_bytes)


async def _read(answer: httpx.Response, most_bytes: int) -> Answer:
    is_error = answer.status_code >= 300
    encoding = answer.headers.get("content-encoding", "identity")
    if not is_error and encoding != "identity":
        raise Unusable(f"it is encoded as {cleaned(encoding)}, which was not asked for")
    received = bytearray()
    most = _MOST_ERROR_BYTES if is_error else most_bytes
    declared = answer.headers.get("content-length", "")
    is_too_large = declared.isdecimal() and int(declared) > most
    async for chunk in answer.aiter_raw():
        received += chunk
        if is_too_large or len(received) > most:
            is_too_large = True
            break
    if is_too_large and not is_error:
        raise Unusable(f"it is larger than {most:,} bytes")
    return Answer(answer.status_code, answer.headers, bytes(received[:most]))


def reason_of(error: BaseException) -> str:
    """Why a server could not be reached, without a full stop."""
    if isinstance(error, httpx.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return cleaned(str(error)) or "the connection broke"


def cleaned(text: str) -> str:
    """In one printable line that is not too long, without a full stop at its end."""
    line = "".join(each for each in " ".join(text.split()) if each.isprintable())
    return line.rstrip(".") if len(line) <= _LONGEST_SENTENCE else f"{line[:_LONGEST_SENTENCE]}…"


def _sentence_of(body: bytes, content_type: str) -> str:
    """Of an error: its member ``error`` (the protocol's) or ``detail``, or a plain text."""
    try:
        found: Any = msgspec.json.decode(body, type=dict[str, Any])
    except (ValueError, RecursionError):
        return "" if "html" in content_type else body.decode(errors="replace")
    said = found.get("error") or found.get("detail") or ""
    return said if isinstance(said, str) else msgspec.json.encode(said).decode()
