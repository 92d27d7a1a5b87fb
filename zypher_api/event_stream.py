"""``EventStream``: server-sent events (WHATWG HTML §9.2) as a raw ASGI response.

Comments keep it alive while nothing happens; a caller that goes away, or a process that drains, wakes its writer. An
open one costs a task and a timer, and no CPU.
"""

import asyncio
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from litestar.types import Receive, Send

from zypher_api.responses import Header

HEARTBEAT_S = 15.0
"""Proxies take a connection for dead after 30 to 60 s of silence."""
RECONNECT_MS = 1000
"""After how long a browser's ``EventSource`` comes back."""
MEDIA_TYPE = b"text/event-stream"
HEADERS: list[Header] = [
    (b"content-type", MEDIA_TYPE),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx passes each event on as it comes
]


class EventStream:
    """One answer, from ``async with`` on; ``receive`` is that of a request whose body has been read."""

    def __init__(self, receive: Receive, send: Send, *, headers: Iterable[Header] = ()) -> None:
        self.is_gone = False
        """Whether the caller has gone away."""
        self._receive = receive
        self._send = send
        self._headers = [*HEADERS, *headers]
        self._unsent: list[bytes] = [b"retry: %d\n\n" % RECONNECT_MS]
        self._woken = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._send({"type": "http.response.start", "status": 200, "headers": self._headers})
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._listening is not None:
            self._listening.cancel()
        if error is None and not self.is_gone:
            await self._send({"type": "http.response.body", "body": b"".join(self._unsent), "more_body": False})

    def write(self, event: str, data: bytes, *, event_id: str = "") -> None:
        """Add an event; ``data`` is JSON in one line."""
        named = f"event: {event}\nid: {event_id}\n" if event_id else f"event: {event}\n"
        self._unsent.append(b"%bdata: %b\n\n" % (named.encode(), data))

    async def flush(self) -> None:
        """Send what was written; waits for a caller who is slow to take it."""
        if self._unsent and not self.is_gone:
            unsent, self._unsent = self._unsent, []
            await self._send({"type": "http.response.body", "body": b"".join(unsent), "more_body": True})

    def wake(self) -> None:
        """End the present ``wait``, or the next."""
        self._woken.set()

    async def wait(self, at_most_s: float) -> None:
        """Until woken, or for so long; heartbeats meanwhile."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + at_most_s
        while not self._woken.is_set() and loop.time() < until_s:
            try:
                async with asyncio.timeout(min(HEARTBEAT_S, until_s - loop.time())):
                    await self._woken.wait()
            except TimeoutError:
                self._unsent.append(b":\n\n")
                await self.flush()
        self._woken.clear()

    async def _listen(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.is_gone = True
        self._woken.set()
