"""One ``write`` for one response, and word of a caller who goes away.

ASGI sends head and body apart, uvicorn writes each as it comes, and uvloop makes a system call of each write: on
loopback those two calls are half of what a small answer costs. Here what is written in one turn of the event loop
leaves in one call.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from zypher_api.presence import STATE_KEY, Presence
from zypher_api.responses import Header

MAX_HELD_BYTES = 65_536
"""More than this leaves at once, so that the transport's own flow control sees it."""


class CorkedTransport(asyncio.Transport):
    """Around a transport: holds writes until the end of the loop's turn."""

    __slots__ = ("_held", "_held_bytes", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []
        self._held_bytes = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write soon, in order."""
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held.append(bytes(data))
        self._held_bytes += len(data)
        if self._held_bytes > MAX_HELD_BYTES:
            self._flush()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Write all of them."""
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        """Write what is held, then close."""
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        """Close without writing."""
        self._held.clear()
        self._transport.abort()

    def is_closing(self) -> bool:
        """See ``asyncio.BaseTransport``, as all that follows."""
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def _flush(self) -> None:
        held, self._held, self._held_bytes = self._held, [], 0
        if held and not self._transport.is_closing():
            self._transport.write(b"".join(held))


class CorkedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP over corked transports.

    A connection has one timer for its idle time, which looks when it fires; uvicorn makes and cancels one for each
    request, 2 µs.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Cork it."""
        self._presence = Presence()
        self._idle_since_s: float | None = None
        self.app_state = {**self.app_state, STATE_KEY: self._presence}  # what the state of each request begins as
        super().connection_made(cast("asyncio.Transport", CorkedTransport(transport, self.loop)))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever works for the caller."""
        super().connection_lost(exc)
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
        self._presence.leave()

    def on_response_complete(self) -> None:
        """Begin with what waits in the pipeline, or be idle from now on."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._idle_since_s = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._look_in(self.timeout_keep_alive)

    def timeout_keep_alive_handler(self) -> None:
        """Close it if it has been idle for long."""
        self.timeout_keep_alive_task = None
        if self._idle_since_s is None or self.transport.is_closing():
            return
        left_s = self._idle_since_s + self.timeout_keep_alive - self.loop.time()
        if left_s > 0:
            self._look_in(left_s)
        else:
            self.transport.close()

    def _look_in(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def _unset_keepalive_if_required(self) -> None:
        self._idle_since_s = None


def write_whole(cycle: RequestResponseCycle, status: int, headers: Iterable[Header], body: bytes) -> bool:
    """Answer a request of uvicorn's in one step, 4 µs cheaper than by two ``send``; ``False``: it cannot be done here.

    ``headers`` have the body's length among them and no ``Transfer-Encoding``. That none of them breaks its line is
    looked at once for all. Does what ``RequestResponseCycle.send`` of uvicorn 0.54 does for such a head and body.
    """
    if cycle.response_started or cycle.flow.write_paused or cycle.scope["method"] == "HEAD" or cycle.access_log:
        return False
    if cycle.disconnected:
        return True
    parts = [STATUS_LINE[status]]
    lines, says_close = 2, False
    for name, value in (*cycle.default_headers, *headers):
        if name == b"connection":
            says_close = True
        parts += (name, b": ", value, b"\r\n")
        lines += 1
    keep_alive = cycle.keep_alive and not says_close
    if not keep_alive and not says_close:
        parts.append(b"connection: close\r\n")
        lines += 1
    parts.append(b"\r\n")
    head = b"".join(parts)
    if head.count(b"\n") != lines or head.count(b"\r") != lines:
        raise RuntimeError("Invalid HTTP header value.")
    cycle.transport.write(head + body)
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    cycle.message_event.set()
    if not keep_alive:
        cycle.keep_alive = False
        cycle.transport.close()
    cycle.on_response()
    return True
