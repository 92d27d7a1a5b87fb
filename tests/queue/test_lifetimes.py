"""Nothing in Redis without a lifetime or a bound."""

from tests.queue.conftest import StartWorker
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.queue import PredictionQueue, keys
from zypher_jobs.testing import wait_until

BOUNDED = {
    keys.INDEX,
    keys.SYNC_INDEX,
    keys.RUNNING,
    keys.COUNTS,
    keys.LATENCY,
    keys.WORKERS,
    keys.WAKE,
    keys.ARQ_QUEUE,
}
"""Keys without a lifetime; what bounds each stands in the table of ``zypher_jobs.queue.keys``."""


async def test_every_key_has_a_lifetime_or_a_bound(queue: PredictionQueue, start_worker: StartWorker) -> None:
    """After predictions that ran, failed and still wait."""
    worker = await start_worker()
    ran = [await queue.submit("mock", {"input": str(number)}) for number in range(20)]
    ran.append(await queue.submit("nobody", {"input": "x"}))
    for prediction in ran:
        assert (await queue.wait_for(prediction.prediction_id, 10)).status.is_terminal
    worker._stop_claiming()
    await wait_until(lambda: not worker.tasks)
    waiting = await queue.submit("mock", {"input": "waits"})
    assert (await queue.prediction(waiting.prediction_id)).status is Status.QUEUED
    names = [name.decode() async for name in queue.scan_iter("*")]
    assert len(names) > 40
    for name in names:
        assert name in BOUNDED or await queue.pttl(name) > 0, name
    assert await queue.zcard(keys.RUNNING) == 0
    assert await queue.llen(keys.WAKE) <= 1
