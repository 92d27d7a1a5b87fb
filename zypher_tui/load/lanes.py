"""HTTP connections, each with one request under way: as many as are asked for at once.

httpx and httpcore's pool look through all connections at each request: at 50 of them 3 ms of processor for one, which
would measure the generator and not the server. A connection of its own for each costs 0.2 ms, however many there are.
"""

import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpcore
import msgspec

from zypher_tui.core.cleaning import clean
from zypher_tui.sources.failures import reason

CONNECT_S = 2.0


class NoAnswer(Exception):  # a state of the world, as it is shown
    """The message says why, as the end of a sentence: ``connection refused``."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One response."""

    status: int
    headers: Mapping[bytes, bytes]
    body: bytes


class Lanes:
    """The connections to one API; those that are free are used again, the last one first."""

    def __init__(self, url: str, *, api_key: str | None) -> None:
        split = urlsplit(url)
        self._url = url.rstrip("/")
        self._origin = httpcore.URL(url).origin
        self._ssl = ssl.create_default_context() if split.scheme == "https" else None
        self._headers = [("Host", split.netloc.rpartition("@")[2])]
        if api_key:
            self._headers.append(("Authorization", f"Bearer {api_key}"))
        self._free: list[httpcore.AsyncHTTPConnection] = []

    async def request(
        self, method: str, path: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None, timeout_s: float
    ) -> Answer:
        """Send, and read the whole answer. Raises ``NoAnswer``. One that is canceled closes its connection."""
        lane = self._take()
        sent = [*self._headers, *(headers or {}).items()]
        if body:
            sent.append(("Content-Length", str(len(body))))
        times = {"connect": min(CONNECT_S, timeout_s), "read": timeout_s, "write": timeout_s}
        try:
            response = await lane.request(
                method, self._url + path, headers=sent, content=body or None, extensions={"timeout": times}
            )
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            raise NoAnswer(clean(reason(error, timeout_s=timeout_s))) from error
        if lane.is_idle():
            self._free.append(lane)
        named = {name.lower(): value for name, value in response.headers}
        return Answer(status=response.status, headers=named, body=response.content)

    async def aclose(self) -> None:
        """Close those that are free."""
        while self._free:
            await self._free.pop().aclose()

    def _take(self) -> httpcore.AsyncHTTPConnection:
        while self._free:
            lane = self._free.pop()
            if not lane.has_expired():
                return lane
        return httpcore.AsyncHTTPConnection(self._origin, ssl_context=self._ssl)
