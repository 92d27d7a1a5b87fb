"""Whether a part that was started can be used."""

import asyncio
import contextlib
import socket
from urllib.parse import urlsplit

from zypher_jobs.errors import RedisUnavailable, StartError
from zypher_jobs.settings import Settings

_TIMEOUT_S = 1.0


def api_url(settings: Settings) -> str:
    """Where the API is reached from this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(settings.host, settings.host)  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


async def api_is_ready(url: str) -> bool:
    """Whether ``GET /health/ready`` answers 200."""
    parts = urlsplit(url)
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            try:
                writer.write(b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                return b" 200 " in await reader.readline()
            finally:
                writer.close()
    return False


def address_of(url: str) -> tuple[str, int]:
    """Host and port of an HTTP URL; raises ``StartError`` when it is none."""
    if (found := _address_of(url)) is None:
        meant = f"http://{url.strip('/')}"
        near = f"Did you mean {meant}?" if "://" not in url and _address_of(meant) else "Write http://HOST:8080."
        raise StartError(f"{url!r} is not a URL such as http://127.0.0.1:8080. {near}")
    return found


def _address_of(url: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return None
    return (parts.hostname, port) if parts.scheme in ("http", "https") and parts.hostname else None


def is_listening(url: str) -> bool:
    """Whether anything takes connections at an HTTP URL; raises ``StartError`` when it is none."""
    address = address_of(url)
    with contextlib.suppress(OSError), socket.create_connection(address, timeout=_TIMEOUT_S):
        return True
    return False


async def worker_is_alive(redis_url: str, pid: int) -> bool:
    """Whether the worker with that process id, on this machine, has sent a heartbeat of late."""
    # imported here: redis-py takes 0.15 s, which the children use to start
    from zypher_jobs.queue.inspect import Inspector  # noqa: PLC0415

    inspector = Inspector.from_url(redis_url, timeout_s=_TIMEOUT_S)
    try:
        overview = await inspector.overview(latest=0)
    except RedisUnavailable:
        return False
    finally:
        await inspector.aclose()
    return any(worker.pid == pid and worker.host == socket.gethostname() for worker in overview.workers)
