"""Settings → what the stock ``arq`` command wants: its ``RedisSettings``, and the class that it is given."""

import asyncio
import os
import platform
from typing import Any
from urllib.parse import quote

from arq.connections import RedisSettings
from arq.worker import func
from redis.asyncio.connection import SSLConnection, parse_url

from zypher_jobs.errors import SettingError
from zypher_jobs.models import ModelRegistry
from zypher_jobs.models.deployer import Deployer
from zypher_jobs.models.store import store_of
from zypher_jobs.queue.deployments import Deployments
from zypher_jobs.queue.embedded import socket_path
from zypher_jobs.queue.payloads import PREDICT, deserialize, serialize
from zypher_jobs.queue.scripts import Scripts
from zypher_jobs.queue.sentinel import SCHEMES, SentinelUrl
from zypher_jobs.queue.wire import Wire
from zypher_jobs.settings import Settings
from zypher_jobs.worker.stock import predict_and_tell, record_end, record_start

HEALTH_KEY_S = 10
"""How often arq's health key is written, which ``arq --check`` reads."""

_NAMES = {
    "host": "host",
    "port": "port",
    "path": "unix_socket_path",
    "db": "database",
    "username": "username",
    "password": "password",
    "max_connections": "max_connections",
}
"""Of redis-py → of arq; those of TLS are the same."""
_TLS = frozenset({"keyfile", "certfile", "cert_reqs", "ca_certs", "ca_data", "check_hostname"})


def redis_settings_of(url: str) -> RedisSettings:
    """arq's form of ``ZYPHER_REDIS_URL``; its own ``from_dsn`` decodes no password and knows no Sentinel.

    Time-outs of the URL are left out: arq has its own. Raises ``SettingError`` for what arq cannot do: TLS or a
    password with the sentinels, and settings of TLS that it does not pass on.
    """
    if url.partition("://")[0] in SCHEMES:
        said = SentinelUrl.parse(url)
        if said.is_tls or said.sentinels:
            raise SettingError(
                "A stock arq worker speaks with sentinels without TLS and without a password, and ZYPHER_REDIS_URL "
                "wants more: take `zypher worker`."
            )
        return RedisSettings(
            host=said.nodes, sentinel=True, sentinel_master=said.service, **_named(said.server, with_tls=False)
        )
    server: dict[str, Any] = {**parse_url(url)}
    with_tls = server.get("connection_class") is SSLConnection
    return RedisSettings(ssl=with_tls, **_named(server, with_tls=with_tls))


def worker_settings_of(settings: Settings) -> type:
    """The class for the ``arq`` command."""

    async def start(ctx: dict[Any, Any]) -> None:
        ctx["settings"] = settings
        ctx["registry"] = ModelRegistry.from_settings(settings, in_worker=True)
        ctx["worker_id"] = f"{platform.node()}-{os.getpid()}-arq"
        ctx["wire"] = Wire(ctx["redis"].connection_pool)
        ctx["scripts"] = Scripts(ctx["wire"])
        ctx["deployer"] = deployer = Deployer(
            ctx["registry"],
            Deployments(ctx["redis"]),
            store_of(settings),
            process_id=ctx["worker_id"],
            part="worker",
            kept_loaded=settings.models_kept_loaded,
        )
        await deployer.start()
        await asyncio.gather(ctx["registry"].load_all(), deployer.settled())

    async def stop(ctx: dict[Any, Any]) -> None:
        await ctx["deployer"].close()
        await ctx["registry"].close()
        await ctx["wire"].aclose()

    url = settings.redis_url or f"unix://{quote(str(socket_path(settings.data_dir)))}"
    members: dict[str, Any] = {
        "functions": (func(predict_and_tell, name=PREDICT),),
        "redis_settings": redis_settings_of(url),
        "job_serializer": serialize,
        "job_deserializer": deserialize,
        "on_startup": start,
        "on_shutdown": stop,
        "on_job_start": record_start,
        "after_job_end": record_end,
        "max_jobs": settings.concurrency,
        "max_tries": settings.max_attempts,
        "job_timeout": settings.run_timeout_s + 1,
        "keep_result": settings.retention_s,
        "job_completion_wait": round(settings.grace_s),
        "health_check_interval": HEALTH_KEY_S,
    }
    return type("WorkerSettings", (), members)


def _named(said: dict[str, Any], *, with_tls: bool) -> dict[str, Any]:
    """redis-py's options under arq's names."""
    named = {_NAMES[name]: value for name, value in said.items() if name in _NAMES}
    if with_tls:
        tls = {name: value for name, value in said.items() if name.startswith("ssl_")}
        unknown = sorted(name for name in tls if name.removeprefix("ssl_") not in _TLS)
        if unknown:
            raise SettingError(f"A stock arq worker cannot be told {unknown[0]}: take `zypher worker`.")
        named |= tls
    return named
