"""What a worker is handed while its event loop does not run."""

import time
from typing import Any

import msgspec
import pytest
import redis
from arq.worker import func

from tests.queue.conftest import StartWorker
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.queue import PredictionQueue, keys
from zypher_jobs.queue.payloads import PREDICT, serialize
from zypher_jobs.queue.rows import New, claims_of
from zypher_jobs.queue.scripts import source
from zypher_jobs.settings import Settings
from zypher_jobs.testing import wait_until

LEASE_S = 0.6


async def test_what_came_while_the_loop_was_blocked_and_was_taken_over_is_not_begun(
    queue: PredictionQueue, settings: Settings, start_worker: StartWorker, caplog: pytest.LogCaptureFixture
) -> None:
    """A model that blocks its worker's loop longer than a lease keeps its own lease; what was handed to that worker
    meanwhile lapses, is somebody else's then, and runs once."""
    begun: list[tuple[str, Any]] = []

    async def note(ctx: dict[Any, Any], _: str, value: Any) -> Any:
        begun.append((ctx["worker_id"], value))
        return value

    assert settings.redis_url is not None
    other: Any = redis.from_url(settings.redis_url)  # pyright: ignore[reportUnknownMemberType]
    worker = await start_worker([func(note, name="predict")], worker_id="blocked", lease_s=LEASE_S)
    await queue.submit("any", "first")
    await wait_until(lambda: worker.jobs_complete == 1)
    await wait_until(lambda: stands_idle(queue))
    # the loop of worker and test is one: the message lies in the socket until this has gone through
    new = New("handed", keys.ARQ_QUEUE, "any")
    job = serialize({"t": None, "f": PREDICT, "a": ("any", "handed"), "k": {}, "et": 0})
    other.eval(source("submit"), 0, msgspec.msgpack.encode([new]), keys.JOB_TTL_MS, job)
    time.sleep(2 * LEASE_S)  # noqa: ASYNC251
    rows = other.eval(source("claim"), 1, keys.ARQ_QUEUE, "other", 1, 60_000, keys.JOB_TTL_MS, 0, 0, "", "")[3]
    other.close()
    assert [claim.prediction_id for claim in claims_of(rows)] == ["handed"]
    await wait_until(lambda: "claims came late" in caplog.text)
    assert [value for _, value in begun] == ["first"]
    assert (await queue.prediction("handed")).status is Status.RUNNING


async def stands_idle(queue: PredictionQueue) -> bool:
    """Whether a worker waits to be handed something."""
    client: Any = queue
    return await client.hlen(keys.IDLE) == 1
