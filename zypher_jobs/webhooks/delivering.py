"""``delivering``: a process delivers webhooks as long as a block lasts."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from zypher_jobs.queue import PredictionQueue
from zypher_jobs.queue.webhooks import Webhooks
from zypher_jobs.settings import Settings
from zypher_jobs.tracing import Tracer
from zypher_jobs.webhooks.addresses import AddressPolicy, Resolve, resolve
from zypher_jobs.webhooks.deliverer import Deliverer

if TYPE_CHECKING:
    from zypher_jobs.webhooks.poster import Poster


@asynccontextmanager
async def delivering(
    queue: PredictionQueue, settings: Settings, *, resolve: Resolve = resolve, tracer: Tracer | None = None
) -> AsyncGenerator[None]:
    """What is still under way a second after the block is left is handed back, for another process to take up."""
    timeout_s = settings.webhook_timeout_s
    deliverer = Deliverer(
        Webhooks(queue, retention_ms=queue.retention_ms, suspend_s=settings.webhook_suspend_s),
        partial(_make_poster, AddressPolicy(settings.webhook_allow), timeout_s=timeout_s, resolve=resolve),
        read=queue.prediction,
        retry_s=settings.webhook_retry_s.each_s,
        timeout_s=timeout_s,
        tracer=tracer,
    )
    running = asyncio.create_task(deliverer.run())
    try:
        yield
    finally:
        deliverer.stop()
        await asyncio.wait([running])


def _make_poster(policy: AddressPolicy, *, timeout_s: float, resolve: Resolve) -> "Poster":
    """Loads httpx, for those who have a webhook at all."""
    from zypher_jobs.webhooks.poster import Poster  # noqa: PLC0415

    return Poster(policy, timeout_s=timeout_s, resolve=resolve)
