"""What sources ask: where an API is, and servers that answer as a test says."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager

from zypher_jobs.settings import Settings


def url_of(settings: Settings) -> str:
    """Of the API with these settings."""
    return f"http://127.0.0.1:{settings.port}"


@asynccontextmanager
async def http_server(
    answer: Callable[[str], tuple[int, str]], headers: Mapping[str, str] | None = None
) -> AsyncGenerator[str]:
    """A server that answers each path as told; yields its URL."""
    more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        status, body = answer(request.split()[1].decode())
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body.encode())}\r\nConnection: close\r\n{more}\r\n"
        writer.write((head + body).encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
