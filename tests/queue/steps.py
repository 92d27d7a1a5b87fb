"""A worker's steps, one script each, for tests that decide themselves what happens in which order."""

from collections.abc import Sequence
from typing import Any

from zypher_jobs.contracts.prediction import Prediction, Priority, Status
from zypher_jobs.queue import PredictionQueue, keys
from zypher_jobs.queue.payloads import PREDICT, serialize
from zypher_jobs.queue.rows import Claim, Claimed, Ended, Finish
from zypher_jobs.queue.scripts import source

KEPT_MS = 60_000


async def claim(
    queue: PredictionQueue,
    worker_id: str = "w1",
    *,
    room: int = 10,
    lease_ms: int = 5000,
    queues: Sequence[str] = tuple(keys.QUEUES.values()),
) -> Claimed:
    """One claim, by default of all priorities."""
    return await queue.scripts.claim(queues=queues, worker_id=worker_id, room=room, lease_ms=lease_ms)


async def expire(queue: PredictionQueue, worker_id: str = "w1", *, room: int = 10) -> Claimed:
    """One look at the deadlines."""
    return await queue.scripts.expire(worker_id=worker_id, room=room, lease_ms=5000)


async def finish(
    queue: PredictionQueue, claimed: Claimed, status: str = Status.SUCCEEDED, *, counts: bool = True, **how: Any
) -> list[bool]:
    """Finish all of a claim with one status."""
    finishes = [finish_of(c, status, counts_as_attempt=counts, **how) for c in claimed.claims]
    return (await queue.scripts.finish(finishes, retention_ms=KEPT_MS)).accepted


def finish_of(claim: Claim, status: str, **how: Any) -> Finish:
    """The end of one attempt, with a result in arq's format."""
    success = status == Status.SUCCEEDED
    times = {"et": 0, "st": 0, "ft": 0}
    result: dict[str, Any] = {
        "t": claim.attempt,
        "f": PREDICT,
        "a": ["mock", {}],
        "k": {},
        "s": success,
        "r": 1,
        "q": "",
        "id": "",
    }
    how = {"model": "mock", "result_ttl_ms": KEPT_MS} | how
    ended = Ended(claim.prediction_id, claim.queue, claim.token, claim.attempt, status, **how)
    return Finish(ended, serialize(result | times))


async def renew(queue: PredictionQueue, claimed: Claimed, *, lease_ms: int = 5000) -> tuple[set[str], set[str]]:
    """What the lease keeper does: the ids whose lease is lost, and those to be canceled."""
    rows = [part for c in claimed.claims for part in (c.prediction_id, c.queue, c.token, c.attempt)]
    redis: Any = queue
    lost, aborted = await redis.execute_command("EVAL", source("renew"), 0, lease_ms, *rows)
    return {i.decode() for i in lost}, {i.decode() for i in aborted}


async def lapse(queue: PredictionQueue, claimed: Claimed) -> None:
    """As if the leases had ended: no in-progress keys, and due."""
    for c in claimed.claims:
        await queue.delete(keys.ARQ_IN_PROGRESS + c.prediction_id)
        await queue.zadd(c.queue, {c.prediction_id: keys.TURNS_END})


async def submit(queue: PredictionQueue, prediction_id: str, **options: Any) -> Prediction:
    """One for the mock model, with an id that the test chooses."""
    return await queue.submit("mock", {"input": prediction_id}, prediction_id=prediction_id, **options)


async def statuses(queue: PredictionQueue, prediction_id: str) -> set[Status]:
    """Every list it stands in; its record must say the same."""
    listed = {s for s in Status if await queue.zscore(keys.listed(s), prediction_id) is not None}
    assert listed == {(await queue.prediction(prediction_id)).status}
    return listed


def ids(claimed: Claimed) -> list[str]:
    """What was taken, in order."""
    return [c.prediction_id for c in claimed.claims]


def queue_of(priority: Priority) -> str:
    """arq's queue of a priority."""
    return keys.QUEUES[priority]
