"""HTTP load that does not wait: requests leave when they are due, whatever became of those before.

Each has a connection of its own until it is answered, one that is free or a new one. A latency counts from the instant
at which its request was due, so that a generator that lags shows as latency instead of hiding it. Callers come by
chance, as they do who know nothing of each other.
"""

import asyncio
import random
import time
from collections.abc import Mapping
from typing import cast

import msgspec

MOST_CONNECTIONS = 8_000
"""More under way at once are not sent, but counted as lost."""
PATIENCE_S = 10.0
"""How long answers are waited for behind the last request."""


class Answer(msgspec.Struct, frozen=True, gc=False):
    """One request, answered or lost."""

    due_s: float
    """Since the load began."""
    latency_s: float
    status: int
    """0: no answer came."""
    says_when: bool
    """Whether it has a ``Retry-After``."""


class _Connection(asyncio.Protocol):
    """Has one request under way at most."""

    def __init__(self, load: "OpenLoad") -> None:
        self._load = load
        self._received = b""
        self._due_s: float | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it

    def send(self, due_s: float) -> None:
        """The request."""
        self._due_s = due_s
        if self._transport is not None:
            self._transport.write(self._load.request)

    def data_received(self, data: bytes) -> None:
        """Perhaps a whole answer."""
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found or self._due_s is None:
            return
        lower = head.lower()
        length = int(lower.partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        if len(body) < length:
            return
        due_s, self._due_s, self._received = self._due_s, None, b""
        self._load.answered(due_s, int(head[9:12]), says_when=b"\r\nretry-after: " in lower)
        self._load.free.append(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio gives it
        """It can carry nothing more."""
        if self in self._load.free:
            self._load.free.remove(self)
        if self._due_s is not None:
            self._load.answered(self._due_s, 0, says_when=False)

    def close(self) -> None:
        """At the end; who is not answered yet is lost."""
        if self._transport is not None:
            self._transport.abort()


class OpenLoad:
    """``POST`` of one body to one path, ``per_s`` times a second on average."""

    def __init__(self, port: int, path: str, body: bytes, *, headers: Mapping[str, str] | None = None) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        self.request = (
            f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n{lines}"
            f"content-length: {len(body)}\r\n\r\n"
        ).encode() + body
        self.free: list[_Connection] = []
        self._port = port
        self._all: list[_Connection] = []
        self._opening: set[asyncio.Task[None]] = set()
        self._answers: list[Answer] = []
        self._sent = 0
        self._last_is_sent = False
        self._all_answered = asyncio.Event()
        self._begun_s = 0.0

    async def run(self, per_s: float, seconds: float) -> list[Answer]:
        """What became of each request, by the order of their ends."""
        chance = random.Random(1)
        self._answers, self._sent, self._last_is_sent = [], 0, False
        self._all_answered.clear()
        self._begun_s = time.perf_counter()
        due_s = chance.expovariate(per_s)
        while due_s < seconds:
            ahead_s = due_s - (time.perf_counter() - self._begun_s)
            if ahead_s > 0:
                await asyncio.sleep(max(0.001, ahead_s))
            elif self._sent % 64 == 0:
                await asyncio.sleep(0)  # it lags: answers are read in between
            while due_s < seconds and due_s <= time.perf_counter() - self._begun_s:
                self._send(due_s)
                due_s += chance.expovariate(per_s)
                if self._sent % 64 == 0:
                    break
        self._last_is_sent = True
        if len(self._answers) < self._sent:
            try:
                await asyncio.wait_for(self._all_answered.wait(), PATIENCE_S)
            except TimeoutError:
                self.close()
                await self._all_answered.wait()
        return self._answers

    def answered(self, due_s: float, status: int, *, says_when: bool) -> None:
        """By the connection."""
        latency_s = time.perf_counter() - self._begun_s - due_s
        self._answers.append(Answer(due_s=due_s, latency_s=latency_s, status=status, says_when=says_when))
        if self._last_is_sent and len(self._answers) == self._sent:
            self._all_answered.set()

    def close(self) -> None:
        """All connections."""
        for connection in self._all:
            connection.close()
        self._all.clear()

    def _send(self, due_s: float) -> None:
        self._sent += 1
        if self.free:
            self.free.pop().send(due_s)
        elif len(self._all) < MOST_CONNECTIONS:
            opening = asyncio.get_running_loop().create_task(self._open(due_s))
            self._opening.add(opening)
            opening.add_done_callback(self._opening.discard)
        else:
            self.answered(due_s, 0, says_when=False)

    async def _open(self, due_s: float) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._port)
        except OSError:
            self.answered(due_s, 0, says_when=False)
            return
        self._all.append(connection)
        connection.send(due_s)
