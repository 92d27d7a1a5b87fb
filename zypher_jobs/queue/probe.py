"""One look at a Redis: does it answer, what is it, and is it set up for a queue."""

import contextlib
import logging
import time
from typing import Any

import msgspec
from redis.exceptions import ResponseError

from zypher_jobs.errors import RedisUnavailable, SettingError
from zypher_jobs.queue.connection import RedisClient, connect, redis_errors
from zypher_jobs.settings import REDIS_SCHEMES

log = logging.getLogger("zypher.queue")

OLDEST_MAJOR = 7
"""Oldest major version of Redis or Valkey that it is made for."""
_SCHEMES = tuple(f"{scheme}://" for scheme in REDIS_SCHEMES)


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
        return await _look_at(client)
    finally:
        await client.aclose()


async def warn_of_server(client: RedisClient) -> None:
    """Log, once for each, what is wrong with the server of a process that starts; nothing when it does not answer."""
    with contextlib.suppress(RedisUnavailable):
        for concern in concerns(await _look_at(client)):
            log.warning("Redis: %s", concern)


def concerns(facts: ServerFacts) -> list[str]:
    """What about a server is not as a queue needs it, each with the reason and the way out."""
    found: list[str] = []
    major = facts.version.partition(".")[0]
    if major.isdigit() and int(major) < OLDEST_MAJOR:
        found.append(f"{facts.name} {facts.version} is older than {OLDEST_MAJOR}.0; update it")
    if facts.maxmemory_policy not in ("", "noeviction"):
        found.append(
            f"maxmemory-policy is {facts.maxmemory_policy}: a full server forgets queued predictions; set noeviction"
        )
    if facts.appendonly is False:
        found.append("appendonly is off: queued predictions are lost when the server restarts; set appendonly yes")
    return found


async def _look_at(client: RedisClient) -> ServerFacts:
    with redis_errors():
        await client.ping()
        started = time.perf_counter()
        await client.ping()
        ping_ms = (time.perf_counter() - started) * 1000
        info: dict[str, Any] = {}
        with contextlib.suppress(ResponseError):
            info = await client.info()
    policy, appendonly = info.get("maxmemory_policy", ""), info.get("aof_enabled")
    is_valkey = "valkey_version" in info
    return ServerFacts(
        name="Valkey" if is_valkey else "Redis",
        version=str(info["valkey_version"] if is_valkey else info.get("redis_version", "")),
        ping_ms=ping_ms,
        maxmemory_policy=str(policy),
        appendonly=None if appendonly is None else bool(appendonly),
    )
