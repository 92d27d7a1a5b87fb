"""A server that says what a test wants, and what stands between a client and the API."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Asked(NamedTuple):
    """A request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


def says(status: int, body: Any = None, **headers: str) -> bytes:
    """A whole answer with a body of JSON; ``_`` in the names of headers is ``-``."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {"content-length": str(len(content))} | {name.replace("_", "-"): value for name, value in headers.items()}
    return f"HTTP/1.1 {status} Said\r\n{_lines(named)}\r\n".encode() + content


def problem(status: int, code: str, **headers: str) -> bytes:
    """A problem document."""
    document = {"code": code, "detail": f"It is {code}.", "status": status, "request_id": "r1"}
    return says(status, document, content_type="application/problem+json", **headers)


def stream(*events: tuple[str, str, Any], then: bytes = b"") -> bytes:
    """A stream of events (kind, id, data) that ends with its connection, perhaps in the middle of one."""
    text = "".join(f"event: {kind}\nid: {number}\ndata: {json.dumps(data)}\n\n" for kind, number, data in events)
    head = _lines({"content-type": "text/event-stream", "connection": "close", "transfer-encoding": "chunked"})
    body = text.encode() + then
    return f"HTTP/1.1 200 OK\r\n{head}\r\n{len(body):x}\r\n".encode() + body + b"\r\n"


ENDS = b"0\r\n\r\n"
"""The end of a stream, which breaks without it."""


def _lines(headers: dict[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())


class Scripted:
    """Gives its answers in turn, one for each connection; ``None`` hangs, and so does it behind the last one."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: list[bytes | None] = []
        self.asked: list[Asked] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        method, path, _ = first.split(" ")
        self.asked.append(Asked(method, path, headers, body))
        answer = self.answers.pop(0) if self.answers else None
        if answer is None:
            await reader.read(1)
        else:
            writer.write(answer)
            await writer.drain()


class Between:
    """Passes bytes on between clients and an API, until it cuts them off."""

    def __init__(self, port: int) -> None:
        self.url = ""
        self.heads: list[bytes] = []
        self.swallows = 0
        """So many answers are cut off: the API has acted, and its caller never hears of it."""
        self._port = port
        self._writers: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """End every connection, with whatever is on its way."""
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        api_reader, api_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers |= {writer, api_writer}
        try:
            await asyncio.gather(self._pass_on(reader, api_writer), self._pass_on(api_reader, writer))
        finally:
            self._writers -= {writer, api_writer}
            api_writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(65_536):
                if piece.startswith((b"GET ", b"POST ")):
                    self.heads.append(piece.partition(b"\r\n\r\n")[0])
                if self.swallows and piece.startswith(b"HTTP/1.1"):
                    self.swallows -= 1
                    break
                writer.write(piece)
                await writer.drain()
        writer.transport.abort()


@asynccontextmanager
async def scripted() -> AsyncGenerator[Scripted]:
    """One that listens until the block is left."""
    server = Scripted()
    async with _listening(server.serve) as server.url:
        yield server


@asynccontextmanager
async def between(port: int) -> AsyncGenerator[Between]:
    """One in front of the API on a port."""
    proxy = Between(port)
    async with _listening(proxy.serve) as proxy.url:
        yield proxy


@asynccontextmanager
async def _listening(serve: Serve) -> AsyncGenerator[str]:
    tasks: set[asyncio.Task[Any]] = set()

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task: Any = asyncio.current_task()
        tasks.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await serve(reader, writer)
        finally:
            tasks.discard(task)
            writer.close()

    listening = await asyncio.start_server(serve_one, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
