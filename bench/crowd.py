"""Many callers that wait at once, each on a bare socket of its own: long polls and streams of events."""

import asyncio
import time
from typing import Literal, cast

import msgspec

OPENING = 100
"""Connections that are made at once."""

Kind = Literal["poll", "stream"]
_END = {"poll": b'"finished_at":"', "stream": b"event: end"}


class Told(msgspec.Struct, frozen=True, gc=False):
    """One caller's end of waiting."""

    prediction_id: str
    at_s: float
    """Unix time at which it had the answer."""


class _Caller(asyncio.Protocol):
    """Waits for one prediction."""

    def __init__(self, crowd: "Crowd", kind: Kind, prediction_id: str) -> None:
        self._crowd = crowd
        self._prediction_id = prediction_id
        self._end = _END[kind]
        self._received = b""
        path = f"/predict/{prediction_id}" + ("?wait=60" if kind == "poll" else "/events")
        self._request = f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode()
        self._transport: asyncio.Transport | None = None
        self.is_told = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Perhaps the end."""
        if self.is_told:
            return
        self._received = self._received[-32:] + data
        if self._end in self._received:
            self.is_told = True
            self._crowd.heard(Told(self._prediction_id, time.time()))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio gives it
        """Without the end, it is lost."""
        if not self.is_told:
            self._crowd.lost += 1

    def leave(self) -> None:
        """Go away."""
        if self._transport is not None:
            self._transport.abort()


class Crowd:
    """To be used on one event loop."""

    def __init__(self, port: int) -> None:
        self.told: list[Told] = []
        self.lost = 0
        """Callers whose connection ended before their prediction did."""
        self._port = port
        self._callers: list[_Caller] = []
        self._someone_is_told = asyncio.Event()

    def __len__(self) -> int:
        """Callers."""
        return len(self._callers)

    async def join(self, kind: Kind, prediction_ids: list[str]) -> None:
        """One caller for each of these; each has asked when this returns."""
        for start in range(0, len(prediction_ids), OPENING):
            some = [_Caller(self, kind, each) for each in prediction_ids[start : start + OPENING]]
            await asyncio.gather(*(self._open(each) for each in some))
            self._callers += some

    async def all_told(self, timeout_s: float) -> bool:
        """Whether each was told its end in so long."""
        try:
            async with asyncio.timeout(timeout_s):
                while len(self.told) + self.lost < len(self._callers):
                    self._someone_is_told.clear()
                    await self._someone_is_told.wait()
        except TimeoutError:
            return False
        return not self.lost

    def heard(self, told: Told) -> None:
        """By a caller."""
        self.told.append(told)
        self._someone_is_told.set()

    def leave(self) -> None:
        """All go away."""
        for caller in self._callers:
            caller.is_told = True
            caller.leave()
        self._callers.clear()

    async def _open(self, caller: _Caller) -> None:
        await asyncio.get_running_loop().create_connection(lambda: caller, "127.0.0.1", self._port)
