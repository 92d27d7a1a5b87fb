"""Nothing in Redis without a lifetime or a bound."""

from tests.queue.conftest import running_worker
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.models import ModelRegistry
from zypher_jobs.queue import PredictionQueue, keys
from zypher_jobs.queue.connection import RedisClient
from zypher_jobs.settings import Settings

BOUNDED = {
    *(keys.SYNC_LIST, keys.DEAD, keys.COUNTS, keys.LATENCY, keys.WORKERS, keys.REFUSED, keys.EVENTS, keys.ARQ_QUEUE),
    *(keys.listed(status) for status in Status),
    *(keys.TURN + keys.ARQ_QUEUE, keys.TURNS + keys.ARQ_QUEUE),
}
"""Keys without a lifetime; what bounds each stands in the table of ``zypher_jobs.queue.keys``."""


async def test_every_key_has_a_lifetime_or_a_bound(
    queue: PredictionQueue, settings: Settings, registry: ModelRegistry
) -> None:
    """After predictions that ran, failed and still wait."""
    async with running_worker(settings, registry):
        ran = [await queue.submit("mock", {"input": str(number)}) for number in range(20)]
        ran.append(await queue.submit("nobody", {"input": "x"}))
        for prediction in ran:
            assert (await queue.wait_for(prediction.prediction_id, 10)).status.is_terminal
    waiting = await queue.submit("mock", {"input": "waits"})
    assert (await queue.prediction(waiting.prediction_id)).status is Status.QUEUED
    redis: RedisClient = queue
    names = [name.decode() for name in await redis.keys("*")]
    assert len(names) > 40
    for name in names:
        assert name in BOUNDED or await queue.pttl(name) > 0, name
    assert await queue.zcard(keys.listed(Status.RUNNING)) == 0
