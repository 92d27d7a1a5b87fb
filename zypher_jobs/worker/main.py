"""A worker process: settings → worker. ``run_worker`` is ours; ``WorkerSettings`` is for the stock ``arq`` command."""

import asyncio
import os
import platform
from contextlib import suppress
from typing import Any

import uvloop
from arq.connections import RedisSettings
from arq.worker import func

from zypher_jobs import logs
from zypher_jobs.errors import RedisUnavailable, StartError
from zypher_jobs.models import ModelRegistry
from zypher_jobs.queue.client import PredictionQueue
from zypher_jobs.queue.embedded import socket_path
from zypher_jobs.queue.payloads import PREDICT, deserialize, serialize
from zypher_jobs.queue.probe import warn_of_server
from zypher_jobs.queue.scripts import Scripts
from zypher_jobs.queue.wire import Wire
from zypher_jobs.settings import Settings, load_settings
from zypher_jobs.worker.predict import predict
from zypher_jobs.worker.stock import predict_and_tell, record_end, record_start
from zypher_jobs.worker.worker import PredictionWorker

HEALTH_KEY_S = 10
"""How often arq's health key is written, which ``arq --check`` reads."""


def run_worker(settings: Settings) -> int:
    """One worker process until SIGTERM or SIGINT, which drain it within ``grace_s``; the exit code.

    Raises ``StartError`` when Redis does not answer; ``SettingError`` or ``ModelDefinitionError`` for models.
    """
    logs.configure(settings, part="worker")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings))
    return 0


async def _serve(settings: Settings) -> None:
    registry = ModelRegistry.from_settings(settings)
    queue = PredictionQueue.from_settings(settings)
    try:
        await queue.inspect.ping()
    except RedisUnavailable as error:
        await queue.aclose()
        raise StartError(f"The worker cannot start: {error.message} Check ZYPHER_REDIS_URL.") from error
    await warn_of_server(queue)
    await registry.load_all()
    worker = PredictionWorker(
        [func(predict, name=PREDICT)],
        redis_pool=queue,
        ctx={"registry": registry, "settings": settings},
        models=registry.names(),
        lease_s=settings.lease_s,
        retention_s=settings.retention_s,
        max_jobs=settings.concurrency,
        max_tries=settings.max_attempts,
        job_timeout=settings.run_timeout_s + 1,  # the model's own time-out ends it first and says more
        job_completion_wait=max(1, round(settings.grace_s)) if settings.grace_s else 0,
        health_check_interval=HEALTH_KEY_S,
    )
    try:
        with suppress(asyncio.CancelledError):  # how arq ends its main task once the grace period is over
            await worker.async_run()
    finally:
        await worker.close()
        await registry.close()


async def _start(ctx: dict[Any, Any]) -> None:
    settings = load_settings()
    ctx["settings"] = settings
    ctx["registry"] = ModelRegistry.from_settings(settings)
    ctx["worker_id"] = f"{platform.node()}-{os.getpid()}-arq"
    ctx["wire"] = Wire(ctx["redis"].connection_pool)
    ctx["scripts"] = Scripts(ctx["wire"])
    await ctx["registry"].load_all()


async def _stop(ctx: dict[Any, Any]) -> None:
    await ctx["registry"].close()
    await ctx["wire"].aclose()


class WorkerSettings:
    """``arq zypher_jobs.worker.main.WorkerSettings``: a stock arq worker on the same queue, polling as arq does."""

    _settings = load_settings()

    functions = (func(predict_and_tell, name=PREDICT),)
    redis_settings = RedisSettings.from_dsn(_settings.redis_url or f"unix://{socket_path(_settings.data_dir)}")
    job_serializer = serialize
    job_deserializer = deserialize
    on_startup = _start
    on_shutdown = _stop
    on_job_start = record_start
    after_job_end = record_end
    max_jobs = _settings.concurrency
    max_tries = _settings.max_attempts
    job_timeout = _settings.run_timeout_s + 1
    keep_result = _settings.retention_s
    job_completion_wait = round(_settings.grace_s)
    health_check_interval = HEALTH_KEY_S
