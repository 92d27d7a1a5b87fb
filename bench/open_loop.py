"""HTTP load that does not wait: requests leave when they are due, whatever became of those before.

Each has a connection of its own until it is answered, out of as many as were opened before the load begins: opening
them meanwhile would cost generator and server more than the requests. One for which none is free leaves late. A latency
counts from the instant at which its request was due, so that nothing of that is hidden. Callers come by chance, as they
do who know nothing of each other.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Mapping
from typing import cast

import msgspec

CONNECTIONS = 1_000
TICK_S = 0.001
"""Of a timer of uvloop."""
PATIENCE_S = 20.0
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
        self._load.free.append(self)
        self._load.answered(due_s, int(head[9:12]), says_when=b"\r\nretry-after: " in lower)

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

    def __init__(
        self,
        port: int,
        path: str,
        body: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        connections: int = CONNECTIONS,
    ) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        self.request = (
            f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n{lines}"
            f"content-length: {len(body)}\r\n\r\n"
        ).encode() + body
        self.free: list[_Connection] = []
        self._port = port
        self._connections = connections
        self._all: list[_Connection] = []
        self._late: deque[float] = deque()
        self._answers: list[Answer] = []
        self._due = 0
        self._last_is_sent = False
        self._all_answered = asyncio.Event()
        self._begun_s = 0.0

    async def open(self) -> None:
        """Connect."""
        loop = asyncio.get_running_loop()
        for _ in range(self._connections):
            _, connection = await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._port)
            self._all.append(connection)
            self.free.append(connection)

    async def run(self, per_s: float, seconds: float) -> list[Answer]:
        """What became of each request, by the order of their ends."""
        chance = random.Random(1)
        self._answers, self._due, self._last_is_sent = [], 0, False
        self._late.clear()
        self._all_answered.clear()
        self._begun_s = time.perf_counter()
        due_s = chance.expovariate(per_s)
        while due_s < seconds:
            ahead_s = due_s - (time.perf_counter() - self._begun_s)
            await asyncio.sleep(max(TICK_S, ahead_s))
            now_s = time.perf_counter() - self._begun_s
            while due_s < seconds and due_s <= now_s:
                self._send(due_s)
                due_s += chance.expovariate(per_s)
        self._last_is_sent = True
        if len(self._answers) < self._due:
            try:
                await asyncio.wait_for(self._all_answered.wait(), PATIENCE_S)
            except TimeoutError:
                self.close()
                for late_s in self._late:
                    self.answered(late_s, 0, says_when=False)
                await self._all_answered.wait()
        return self._answers

    def answered(self, due_s: float, status: int, *, says_when: bool) -> None:
        """By the connection."""
        latency_s = time.perf_counter() - self._begun_s - due_s
        self._answers.append(Answer(due_s=due_s, latency_s=latency_s, status=status, says_when=says_when))
        if self._last_is_sent and len(self._answers) == self._due:
            self._all_answered.set()
        elif self._late and self.free:
            self.free.pop().send(self._late.popleft())

    def close(self) -> None:
        """All connections."""
        for connection in self._all:
            connection.close()
        self._all.clear()

    def _send(self, due_s: float) -> None:
        self._due += 1
        if self.free:
            self.free.pop().send(due_s)
        else:
            self._late.append(due_s)
