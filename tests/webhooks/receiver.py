"""A receiver of webhooks that a test scripts: raw HTTP on loopback, so that it may also break the rules."""

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from standardwebhooks import Webhook, WebhookVerificationError


class Received(NamedTuple):
    """A request that came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The payload."""
        return json.loads(self.body)

    def is_signed_with(self, secret: str) -> bool:
        """By the library of Standard Webhooks, not by our code."""
        try:
            Webhook(secret).verify(self.body, self.headers, json_parse=False)
        except WebhookVerificationError:
            return False
        return True


def answer(status: int = 200, body: bytes = b"", **headers: str) -> bytes:
    """A whole answer."""
    lines = [
        f"HTTP/1.1 {status} Said",
        f"content-length: {len(body)}",
        *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Endless(NamedTuple):
    """An answer that begins, and goes on for ever."""

    head: bytes
    piece: bytes
    every_s: float = 0


class Receiver:
    """Answers as ``says`` has it, one after the other, the last for ever; ``None`` hangs, ``Endless`` never ends."""

    def __init__(self) -> None:
        self.says: list[bytes | Endless | None] = [answer()]
        self.received: list[Received] = []
        self.connections = 0
        self.url = ""
        self.keeps_open = False
        """Whether a connection can be used again."""
        self.answers = asyncio.Event()
        """Set unless a test has it cleared: answers wait for it."""
        self.answers.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        try:
            while await self._serve(reader, writer) and self.keeps_open:
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; whether it was answered."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers["content-length"]))
        says = self.says[0] if len(self.says) == 1 else self.says.pop(0)
        self.received.append(Received(first.split(" ")[1], headers, body))
        await self.answers.wait()
        if says is None:
            await reader.read(1)
            return False
        if isinstance(says, bytes):
            writer.write(says)
            await writer.drain()
            return bool(says)
        writer.write(says.head)
        while True:
            writer.write(says.piece)
            await writer.drain()
            await asyncio.sleep(says.every_s)


@asynccontextmanager
async def receiving(tls: ssl.SSLContext | None = None) -> AsyncGenerator[Receiver]:
    """One that listens until the block is left."""
    receiver = Receiver()
    tasks: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task: Any = asyncio.current_task()
        tasks.add(task)
        try:
            await receiver.serve(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    receiver.url = f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    try:
        yield receiver
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
