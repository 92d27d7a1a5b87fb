"""Connections to Redis from a URL, and what its failures are called here."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import redis
import redis.asyncio
import redis.retry
from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    InvalidResponse,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from zypher_jobs.errors import RedisUnavailable
from zypher_jobs.queue.sentinel import SCHEMES, blocking_sentinel_pool, sentinel_options, sentinel_pool

_MAX_CONNECTIONS = 64
_SENT_AGAIN = (RedisConnectionError, ReadOnlyError)

RedisClient = Any
"""A ``redis.asyncio.Redis``; redis-py 5 annotates its two clients as one: replies are typed where they are read."""


def connection_pool(url: str, *, timeout_s: float) -> ConnectionPool:
    """A pool for ``redis://``, ``rediss://``, ``unix://`` or ``redis+sentinel://`` URLs; no I/O yet.

    A command that meets a connection closed since its last use is sent once more on a new one (all of ours may be
    sent twice), and so is one that meets a server that became a replica: the name may lead to another one by now. One
    that got no answer in ``timeout_s`` is not, so that a caller never waits much longer than that.
    Raises ``ValueError`` for what is no such URL.
    """
    options: dict[str, Any] = {
        "max_connections": _MAX_CONNECTIONS,
        "timeout": timeout_s,
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "retry": Retry(NoBackoff(), 1, supported_errors=_SENT_AGAIN),
        "retry_on_error": list(_SENT_AGAIN),
    }
    pool_class: Any = BlockingConnectionPool
    is_sentinel = url.partition("://")[0] in SCHEMES
    pool = sentinel_pool(url, timeout_s=timeout_s, **options) if is_sentinel else pool_class.from_url(url, **options)
    pool.connection_class = type("Connection", (_SendsOrSaysSo, pool.connection_class), {})
    return pool


class _SendsOrSaysSo(AbstractConnection):
    """uvloop raises ``RuntimeError`` for a write to a connection that ended a moment ago; redis-py expects it not."""

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        try:
            await super().send_packed_command(command, check_health)
        except RuntimeError as error:
            raise RedisConnectionError(str(error)) from error


def connect(url: str, *, timeout_s: float) -> RedisClient:
    """A plain client over ``connection_pool``."""
    return Redis.from_pool(connection_pool(url, timeout_s=timeout_s))


def connection_options(client: RedisClient) -> dict[str, Any]:
    """What a client's pool gives to each of its connections."""
    return client.connection_pool.connection_kwargs


_BLOCKING: dict[str, tuple[Any, Any]] = {
    "unix": (redis.asyncio.UnixDomainSocketConnection, redis.UnixDomainSocketConnection),
    "tls": (redis.asyncio.SSLConnection, redis.SSLConnection),
    "tcp": (redis.asyncio.Connection, redis.Connection),
}
_SENTINEL = "sentinel"
_SHARED_OPTIONS = (
    *("host", "port", "path", "db", "username", "password", "ssl_keyfile", "ssl_certfile", "ssl_cert_reqs"),
    *("ssl_ca_certs", "ssl_ca_data", "ssl_check_hostname"),
)


def blocking_options(client: RedisClient) -> tuple[str, dict[str, Any]]:
    """Where an asyncio client connects to, as ``blocking_client_with`` takes it: the two share no connections."""
    pool = client.connection_pool
    shared = {name: value for name, value in connection_options(client).items() if name in _SHARED_OPTIONS}
    if isinstance(pool, SentinelConnectionPool):
        return _SENTINEL, {_SENTINEL: sentinel_options(pool), **shared}
    kind = next(name for name, (theirs, _) in _BLOCKING.items() if issubclass(pool.connection_class, theirs))
    return kind, shared


def blocking_client_with(kind: str, options: dict[str, Any], *, timeout_s: float = 1.0) -> RedisClient:
    """A synchronous client; it sends again what the asyncio one does."""
    bounded: dict[str, Any] = options | {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s}
    bounded["retry"] = redis.retry.Retry(NoBackoff(), 1, supported_errors=_SENT_AGAIN)
    bounded["retry_on_error"] = list(_SENT_AGAIN)
    if kind == _SENTINEL:
        return redis.Redis(connection_pool=blocking_sentinel_pool(bounded.pop(_SENTINEL), **bounded))
    return redis.Redis(connection_pool=redis.ConnectionPool(connection_class=_BLOCKING[kind][1], **bounded))


_SENTENCES: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((BusyLoadingError,), "Redis is loading its data; try again in a moment."),
    (
        (AuthenticationError, AuthorizationError, NoPermissionError),
        "Redis refuses the user or password of ZYPHER_REDIS_URL.",
    ),
    ((RedisTimeoutError,), "Redis did not answer in time."),
    ((RedisConnectionError, OSError), "Redis cannot be reached."),
    ((InvalidResponse,), "Redis does not answer there: something else does."),
    ((ReadOnlyError,), "Redis is a read-only replica at the moment."),
    ((OutOfMemoryError,), "Redis is out of memory and takes no new predictions."),
    # flushed once more between the two tries of redis-py
    ((NoScriptError,), "Redis lost its scripts; try again in a moment."),
)
"""The first that fits counts: some of them are kinds of others."""
_NO_WRITES = ("MASTERDOWN", "CLUSTERDOWN", "MISCONF", "TRYAGAIN", "NOREPLICAS")


@contextmanager
def redis_errors() -> Generator[None]:
    """Raise ``RedisUnavailable`` for whatever redis-py raises when the server is away or refuses for now.

    The messages hold no address and nothing the server said: they reach callers.
    """
    try:
        yield
    except (RedisError, OSError) as error:
        sentence = next((says for kinds, says in _SENTENCES if isinstance(error, kinds)), None)
        if sentence is None and isinstance(error, ResponseError) and str(error).startswith(_NO_WRITES):
            sentence = "Redis takes no writes at the moment."
        if sentence is None:
            raise
        raise RedisUnavailable(sentence) from error
