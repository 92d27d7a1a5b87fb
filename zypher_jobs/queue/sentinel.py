"""Redis behind Sentinel: ``redis+sentinel://[user:password@]host:26379,host2:26379/service[/database]``.

The user, password and database are the server's own. ``rediss+sentinel://`` speaks TLS with the sentinels as well; the
parameters of the URL (``ssl_ca_certs=…``) are those of redis-py, and those that begin with ``sentinel_``
(``sentinel_password=…``) go to the sentinels.
"""

from typing import Any
from urllib.parse import urlsplit

import msgspec
import redis.sentinel
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.connection import parse_url
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool, SentinelManagedSSLConnection

SCHEMES = ("redis+sentinel", "rediss+sentinel")
_PORT = 26379


class SentinelPool(SentinelConnectionPool, BlockingConnectionPool):
    """Connections to whichever server the sentinels call the primary; waits for a free one as all our pools do."""

    async def disconnect(self, inuse_connections: bool = True) -> None:  # redis-py's own
        """Close the connections; those to the sentinels too when nothing is to go on."""
        await super().disconnect(inuse_connections)
        if inuse_connections:
            manager: Any = self.sentinel_manager
            for sentinel in manager.sentinels:
                await sentinel.aclose()


class SentinelUrl(msgspec.Struct, frozen=True, kw_only=True):
    """What a URL of ``SCHEMES`` says."""

    nodes: list[tuple[str, int]]
    service: str
    is_tls: bool
    """With the server and with the sentinels."""
    server: dict[str, Any]
    """redis-py's options of a connection to the server."""
    sentinels: dict[str, Any]
    """Those of a connection to a sentinel, beyond its place."""

    @classmethod
    def parse(cls, url: str) -> "SentinelUrl":
        """Raises ``ValueError`` for what is no such URL."""
        parts = urlsplit(url)
        user, at, places = parts.netloc.rpartition("@")
        nodes = [_host_and_port(place) for place in places.split(",")]
        service, _, database = parts.path.strip("/").partition("/")
        if not service:
            raise ValueError("the URL names no service")
        plain_scheme = parts.scheme.partition("+")[0]
        server: dict[str, Any] = {**parse_url(f"{plain_scheme}://{user}{at}server/{database}?{parts.query}")}
        is_tls = server.pop("connection_class", None) is not None
        del server["host"]
        sentinels: dict[str, Any] = {}
        for name in [name for name in server if name.startswith("sentinel_")]:
            sentinels[name.removeprefix("sentinel_")] = server.pop(name)
        if is_tls:
            sentinels |= {name: value for name, value in server.items() if name.startswith("ssl_")}
        return cls(nodes=nodes, service=service, is_tls=is_tls, server=server, sentinels=sentinels)


def sentinel_pool(url: str, *, timeout_s: float, **options: Any) -> SentinelPool:
    """A pool for a URL of ``SCHEMES``; ``options`` are those of the connections. Raises ``ValueError``."""
    said = SentinelUrl.parse(url)
    # together no longer than one answer of Redis may take: one that is gone is asked anew for each new connection
    each_s = timeout_s / (len(said.nodes) + 1)
    theirs: dict[str, Any] = {"socket_timeout": each_s, "socket_connect_timeout": each_s, "ssl": said.is_tls}
    sentinel = Sentinel(said.nodes, sentinel_kwargs=theirs | said.sentinels)
    return SentinelPool(said.service, sentinel, ssl=said.is_tls, **said.server, **options)


def sentinel_options(pool: SentinelConnectionPool) -> dict[str, Any]:
    """Where a pool finds its server, as ``blocking_sentinel_pool`` takes it; plain data."""
    manager: Any = pool.sentinel_manager
    nodes = [sentinel.connection_pool.connection_kwargs for sentinel in manager.sentinels]
    return {
        "service": pool.service_name,
        "nodes": [(node["host"], node["port"]) for node in nodes],
        "sentinel_kwargs": {name: value for name, value in manager.sentinel_kwargs.items() if value is not None},
        "ssl": issubclass(pool.connection_class, SentinelManagedSSLConnection),
    }


def blocking_sentinel_pool(where: dict[str, Any], **options: Any) -> Any:
    """The synchronous pool for the same server."""
    nodes = [tuple(node) for node in where["nodes"]]
    manager = redis.sentinel.Sentinel(nodes, sentinel_kwargs=where["sentinel_kwargs"])
    return redis.sentinel.SentinelConnectionPool(where["service"], manager, ssl=where["ssl"], **options)


def _host_and_port(place: str) -> tuple[str, int]:
    parts = urlsplit(f"//{place}")
    if not parts.hostname:
        raise ValueError("a sentinel without a host")
    return parts.hostname, parts.port or _PORT
