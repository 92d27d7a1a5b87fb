"""One look at a Redis: does it answer, what is it, and is it set up for a queue."""

import contextlib
import time
from typing import Any

import msgspec
from redis.exceptions import ResponseError

from zypher_jobs.errors import SettingError
from zypher_jobs.queue.connection import connect, redis_errors

_SCHEMES = ("redis://", "rediss://", "unix://")


class ServerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a server says of itself. A managed one may hide some of it: then ``""`` or ``None``."""

    name: str
    """``Redis`` or ``Valkey``."""
    version: str
    ping_ms: float
    maxmemory_policy: str
    appendonly: bool | None


async def probe(url: str, *, timeout_s: float) -> ServerFacts:
    """Look once. Raises ``SettingError`` when ``url`` is none, ``RedisUnavailable`` when the server does not answer."""
    if not url.startswith(_SCHEMES):
        raise SettingError(f"ZYPHER_REDIS_URL must begin with {', '.join(_SCHEMES[:-1])} or {_SCHEMES[-1]}.")
    try:
        client = connect(url, timeout_s=timeout_s)
    except ValueError as error:
        # the parser's own message may quote the password
        raise SettingError(
            "ZYPHER_REDIS_URL cannot be read: write redis://[user:password@]host:port/database, "
            "with special characters of the password percent-encoded."
        ) from error
    try:
        with redis_errors():
            await client.ping()
            started = time.perf_counter()
            await client.ping()
            ping_ms = (time.perf_counter() - started) * 1000
            info: dict[str, Any] = {}
            with contextlib.suppress(ResponseError):
                info = await client.info()
    finally:
        await client.aclose()
    policy, appendonly = info.get("maxmemory_policy", ""), info.get("aof_enabled")
    is_valkey = "valkey_version" in info
    return ServerFacts(
        name="Valkey" if is_valkey else "Redis",
        version=str(info["valkey_version"] if is_valkey else info.get("redis_version", "")),
        ping_ms=ping_ms,
        maxmemory_policy=str(policy),
        appendonly=None if appendonly is None else bool(appendonly),
    )
