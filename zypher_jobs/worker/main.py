"""A worker process: settings → worker. ``run_worker`` is ours; ``WorkerSettings`` is for the stock ``arq`` command.

``arq zypher_jobs.worker.main.WorkerSettings`` is a stock arq worker on the same Redis, polling as arq does. It has one
queue, as every ``arq.Worker`` has: ``arq:queue``, which is that of normal priority. What has a high or a low one waits
for a worker of ours.
"""

import asyncio
import gc
from contextlib import suppress
from typing import Any

import uvloop
from arq.worker import func

from zypher_jobs import logs
from zypher_jobs.errors import RedisUnavailable, StartError
from zypher_jobs.models import ModelRegistry
from zypher_jobs.models.deployer import Deployer
from zypher_jobs.models.store import store_of
from zypher_jobs.queue.client import PredictionQueue
from zypher_jobs.queue.deployments import Deployments
from zypher_jobs.queue.historian import Historian
from zypher_jobs.queue.payloads import PREDICT
from zypher_jobs.queue.probe import warn_of_server
from zypher_jobs.settings import Settings, load_settings
from zypher_jobs.tracing import tracer_of
from zypher_jobs.webhooks.delivering import delivering
from zypher_jobs.worker.batch_reporter import BatchReporter
from zypher_jobs.worker.predict import predict
from zypher_jobs.worker.stock_settings import HEALTH_KEY_S, worker_settings_of
from zypher_jobs.worker.worker import PredictionWorker, new_worker_id


def run_worker(settings: Settings, *, replaces: bool = False) -> int:
    """One worker process until SIGTERM or SIGINT, which drain it within ``grace_s``; the exit code.

    One that ``replaces`` another ends where a model does not load.

    Raises ``StartError`` when Redis does not answer; ``SettingError`` or ``ModelDefinitionError`` for models.
    """
    logs.configure(settings, part="worker")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, replaces=replaces))
    return 0


async def _serve(settings: Settings, *, replaces: bool) -> None:
    tracer = tracer_of(settings, part="worker", process_id=(worker_id := new_worker_id()))
    registry = ModelRegistry.from_settings(settings, in_worker=True)
    queue = PredictionQueue.from_settings(settings)
    try:
        await queue.inspect.ping()
    except RedisUnavailable as error:
        await queue.aclose()
        raise StartError(f"The worker cannot start: {error.message} Check ZYPHER_REDIS_URL.") from error
    await warn_of_server(queue)
    deployer = Deployer(
        registry,
        Deployments(queue),
        store_of(settings),
        process_id=worker_id,
        part="worker",
        kept_loaded=settings.models_kept_loaded,
    )
    await deployer.start()
    await asyncio.gather(registry.load_all(), deployer.settled())
    if replaces and (lack := registry.lack()):
        await deployer.close()
        await registry.close()
        await queue.aclose()
        raise StartError(lack)
    gc.freeze()  # what was imported and loaded stays: no collection needs to walk through it
    worker = PredictionWorker(
        [func(predict, name=PREDICT)],
        redis_pool=queue,
        worker_id=worker_id,
        ctx={"registry": registry, "settings": settings, "tracer": tracer},
        models=registry.names(),
        lease_s=settings.lease_s,
        retention_s=settings.retention_s,
        max_jobs=settings.concurrency,
        max_tries=settings.max_attempts,
        job_timeout=settings.run_timeout_s + 1,  # the model's own time-out ends it first and says more
        job_completion_wait=max(1, round(settings.grace_s)) if settings.grace_s else 0,
        health_check_interval=HEALTH_KEY_S,
    )
    historian = Historian(queue, queue.inspect, kept_s=settings.history_s)
    recording = asyncio.create_task(historian.keep_recording())
    batches = BatchReporter(queue, registry)
    reporting = asyncio.create_task(batches.keep_reporting())
    try:
        async with delivering(queue, settings, tracer=tracer):
            with suppress(asyncio.CancelledError):  # how arq ends its main task once the grace period is over
                await worker.async_run()
    finally:
        recording.cancel()
        reporting.cancel()
        await asyncio.wait([recording, reporting])
        await batches.report()
        await deployer.close()
        await worker.close()
        await registry.close()
        if tracer is not None:
            await tracer.aclose()


def __getattr__(name: str) -> Any:
    """``WorkerSettings`` once the ``arq`` command asks: our own worker starts without what arq makes of the URL."""
    if name == "WorkerSettings":
        return worker_settings_of(load_settings())
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
