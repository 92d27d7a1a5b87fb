"""``BatchReporter``: what this worker's models make of batches, added once a second to the sums of all workers.

Of a worker that is killed the last second is lost, as in the API. While Redis is away it grows here.
"""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

from zypher_jobs.errors import RedisUnavailable
from zypher_jobs.models import ModelRegistry
from zypher_jobs.models.batch_counts import BatchCounts
from zypher_jobs.queue.connection import RedisClient
from zypher_jobs.queue.tallies import Field, count_batches

EVERY_S = 1.0


class BatchReporter:
    """Of one worker."""

    def __init__(self, redis: RedisClient, registry: ModelRegistry) -> None:
        self._redis = redis
        self._registry = registry
        self._told: dict[tuple[str, str], tuple[BatchCounts, dict[Field, int]]] = {}
        """What all know, with the counts of which it was told: those of a version that is loaded anew begin at 0."""

    async def keep_reporting(self) -> None:
        """Until canceled."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.report()

    async def report(self) -> None:
        """Tell what came since the last time, if Redis answers."""
        grown, told = dict[Field, int](), dict(self._told)
        for model in self._registry.all():
            if model.batcher is None:
                continue
            version, counts = (model.name, model.version), model.batcher.counts
            values = dict(_fields(*version, counts))
            known, before = self._told.get(version, (counts, dict[Field, int]()))
            fresh = before if known is counts else {}
            grown |= {field: by for field, value in values.items() if (by := value - fresh.get(field, 0))}
            told[version] = counts, values
        if grown:
            with suppress(RedisUnavailable):
                await count_batches(self._redis, grown)
                self._told = told


def _fields(model: str, version: str, counts: BatchCounts) -> Iterator[tuple[Field, int]]:
    for what, by_bucket in (("size", counts.by_size), ("wait", counts.by_wait)):
        for bucket, count in enumerate(by_bucket):
            yield Field(model, version, what, bucket), count
    yield Field(model, version, "predictions"), counts.predictions
    yield Field(model, version, "waited_ms"), counts.waited_ms
