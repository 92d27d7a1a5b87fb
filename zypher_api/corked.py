"""One ``write`` for one response, and word of a caller who goes away.

ASGI sends head and body apart, uvicorn writes each as it comes, and uvloop makes a system call of each write: on
loopback those two calls are half of what a small answer costs. Here what is written in one turn of the event loop
leaves in one call.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from zypher_api.presence import STATE_KEY, Presence

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
    """uvicorn's HTTP over corked transports."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Cork it."""
        self._presence = Presence()
        self.app_state = {**self.app_state, STATE_KEY: self._presence}  # what the state of each request begins as
        super().connection_made(cast("asyncio.Transport", CorkedTransport(transport, self.loop)))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever works for the caller."""
        super().connection_lost(exc)
        self._presence.leave()
