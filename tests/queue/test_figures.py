"""The hashes in which finishes are counted, as readers understand them."""

from zypher_jobs.contracts.prediction import Mode
from zypher_jobs.contracts.stats import LatencyHistogram
from zypher_jobs.queue import PredictionQueue, keys
from zypher_jobs.queue.connection import RedisClient
from zypher_jobs.queue.figures import latencies_of
from zypher_jobs.queue.latency import BOUNDS_MS

FIELDS = {
    b"mock|async|at|0.7.8": b"4",
    b"mock|async|at|0.16.16": b"1",
    b"mock|async|wait|sum": b"1500",
    b"mock|async|run|sum": b"900000000",
    b"a|b|sync|at|0.1.2": b"3",
}


def histogram(kind: str, counts: dict[int, int], sum_ms: float, **of: str) -> LatencyHistogram:
    """With so many in some buckets."""
    return LatencyHistogram(
        model=of.get("model", "mock"),
        mode=Mode(of.get("mode", "async")),
        kind=kind,
        bounds_ms=list(BOUNDS_MS),
        counts=[counts.get(bucket, 0) for bucket in range(len(BOUNDS_MS) + 1)],
        sum_ms=sum_ms,
    )


def by_name(histograms: list[LatencyHistogram]) -> dict[tuple[str, str, str], LatencyHistogram]:
    """Each under what it counts."""
    return {(each.model, each.mode, each.kind): each for each in histograms}


def test_latencies_are_split_in_wait_run_and_total() -> None:
    """One field counts all three; a model's name may have the separator in it."""
    assert by_name(latencies_of(FIELDS)) == by_name(
        [
            histogram("wait", {0: 5}, 1.5),
            histogram("run", {7: 4, 16: 1}, 900_000),
            histogram("total", {8: 4, 16: 1}, 900_001.5),
            histogram("wait", {0: 3}, 0, model="a|b", mode="sync"),
            histogram("run", {1: 3}, 0, model="a|b", mode="sync"),
            histogram("total", {2: 3}, 0, model="a|b", mode="sync"),
        ]
    )


async def test_an_overview_has_them(queue: PredictionQueue) -> None:
    """As they stand in Redis."""
    redis: RedisClient = queue
    await redis.hset(keys.LATENCY, mapping=FIELDS)
    assert by_name((await queue.inspect.overview()).latencies) == by_name(latencies_of(FIELDS))
