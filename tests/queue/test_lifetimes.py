"""Nothing in Redis without a lifetime or a bound."""

import asyncio
import time
from typing import Any, ClassVar

import msgspec
from arq.connections import RedisSettings, create_pool

from tests.queue.conftest import StartWorker, running_worker
from zypher_jobs.contracts.operation import Action, Operated
from zypher_jobs.contracts.prediction import Mode, Priority, Status, SyncOutcome
from zypher_jobs.contracts.webhook import WebhookRequest
from zypher_jobs.models import Model, ModelRegistry, context
from zypher_jobs.models.retries import RetryPolicy
from zypher_jobs.queue import PredictionQueue, deserialize, keys, serialize
from zypher_jobs.queue.audit import AuditLog
from zypher_jobs.queue.connection import RedisClient
from zypher_jobs.queue.latency import BOUNDS_MS
from zypher_jobs.queue.webhooks import Webhooks
from zypher_jobs.settings import Settings
from zypher_jobs.testing import wait_until

HIGH, NORMAL, LOW = keys.QUEUES.values()
MODELS, CALLERS = 4, 2
"""Names that the run below uses: three models, one that there is not; the caller without a name and one with."""
CARDINALITY = {"zset": "ZCARD", "list": "LLEN", "hash": "HLEN", "set": "SCARD", "stream": "XLEN", "string": "STRLEN"}

MOST: dict[str, int] = {
    # what the run below leaves waiting: one normal, one low, one that arq's client deferred
    HIGH: 0,
    NORMAL: 2,
    LOW: 1,
    keys.DEADLINES: 1,
    keys.ARQ_ABORT: 0,
    keys.PAUSED: 1,
    # what ended: as many as the run below made of each
    keys.listed(Status.QUEUED): 2,
    keys.listed(Status.RUNNING): 0,
    keys.listed(Status.SUCCEEDED): 15 + 1 + 1,
    keys.listed(Status.FAILED): 3,
    keys.listed(Status.CANCELED): 2,
    keys.listed(Status.EXPIRED): 2,
    keys.SYNC_LIST: 1,
    keys.DEAD: 2,
    # figures: by names and fixed sets
    keys.COUNTS: MODELS * len(Mode) * len(Status),
    keys.LATENCY: MODELS * len(Mode) * 3 * (len(BOUNDS_MS) + 2),
    keys.EVENTS: keys.EVENTS_KEPT,
    keys.WORKERS: 0,
    keys.REFUSED: 1,
    # webhooks: the registered one with its secret; what has not been delivered
    keys.WEBHOOKS: 1,
    keys.WEBHOOK_SECRETS: 1,
    keys.DELIVERIES: 40,
    keys.AUDIT: keys.AUDIT_KEPT,
    # turns: one number for each queue, and those callers who have something waiting
    **{keys.TURN + queue: len("1000000000000") for queue in (HIGH, NORMAL, LOW)},
    **{keys.TURNS + queue: CALLERS for queue in (HIGH, NORMAL, LOW)},
}
"""Every key that may be without a lifetime, and how large it may be after the run below."""


class Way(msgspec.Struct):
    """How to end."""

    way: str = "well"


class Ways(Model[Way, Way]):
    """Ends as it is told."""

    retries = RetryPolicy(backoff_s=0.01)
    tried: ClassVar[set[str]] = set()

    async def predict(self, input: Way) -> Way:
        """Well, badly, at the second attempt, or never."""
        context.progress(0.5, "under way")
        context.log(input.way)
        if input.way == "badly":
            raise ValueError("as it was told")
        if input.way == "hang":
            await asyncio.Event().wait()
        if input.way.startswith("second") and input.way not in Ways.tried:
            Ways.tried.add(input.way)
            raise ConnectionError("once")
        return input


async def test_every_key_has_a_lifetime_or_a_bound(
    queue: PredictionQueue, settings: Settings, registry: ModelRegistry
) -> None:
    """After every way in which a prediction can end, every control and arq's own client; while some still wait."""
    Ways.tried.clear()
    registry.add(Ways)
    await registry.load_all()
    webhooks = Webhooks(queue, retention_ms=queue.retention_ms)
    await webhooks.register(WebhookRequest(url="https://example.com/hook"))
    await webhooks.aclose()
    await AuditLog(queue).write(Operated(action=Action.PAUSE, caller="me", target="low"))
    await queue.pause(Priority.LOW)
    async with running_worker(settings, registry, max_jobs=20, health_check_interval=1):
        await end_in_every_way(queue, settings)
    waits = await queue.submit("mock", {"input": "waits"}, expires_in_s=3600)
    await queue.watch_prediction(waits.prediction_id, wake=lambda: None).read()
    await queue.submit("mock", {"input": "waits"}, priority=Priority.LOW, caller="me")
    await queue.enqueue_job("predict", "mock", {"input": "later"}, _defer_by=3600)
    redis: RedisClient = queue
    names = [name.decode() for name in await redis.keys("*")]
    assert len(names) > 60
    assert len([name for name in names if name.startswith(keys.STORY)]) > 15
    assert keys.WATCHED in names
    lifetimes_ms = {name: await queue.pttl(name) for name in names}
    assert [name for name in names if lifetimes_ms[name] < 0 and name not in MOST] == []
    assert [name for name, ms in lifetimes_ms.items() if ms > keys.DEAD_TTL_MS] == []
    sizes = {name: await size_of(queue, name) for name in names if name in MOST}
    assert {name: size for name, size in sizes.items() if size > MOST[name]} == {}
    for status in Status:
        for prediction_id in await redis.zrange(keys.listed(status), 0, -1):
            assert lifetimes_ms[keys.record(prediction_id.decode())] > 0, status
    assert {name for name in names if name.startswith((keys.ARQ_IN_PROGRESS, keys.ARQ_RETRY, keys.WORKER))} == set()


async def test_callers_that_went_leave_nothing_behind(queue: PredictionQueue, start_worker: StartWorker) -> None:
    """Two hundred whose only prediction was canceled or expired: no set knows them once the queue has gone on."""
    await queue.pause()
    gone = [await queue.submit("mock", {"input": "a"}, caller=f"gone-{number}") for number in range(100)]
    await asyncio.gather(*(queue.cancel(prediction.prediction_id) for prediction in gone))
    gone = [
        await queue.submit("mock", {"input": "a"}, caller=f"gone-{number}", expires_in_s=0.01)
        for number in range(100, 200)
    ]
    await start_worker()
    for prediction in gone:
        assert (await queue.wait_for(prediction.prediction_id, 10)).status is Status.EXPIRED
    await queue.resume()
    for _ in range(5):
        stays = await queue.submit("mock", {"input": "a"}, caller="stays")
        await queue.wait_for(stays.prediction_id, 10)
    redis: RedisClient = queue
    remembered = [
        member
        for name in await redis.keys("*")
        if await redis.type(name) == b"zset" and await redis.pttl(name) < 0
        for member in await redis.zrange(name, 0, -1)
        if member.startswith(b"gone-")
    ]
    assert len(remembered) == 0


async def test_names_of_models_that_there_are_not_do_not_pile_up(
    queue: PredictionQueue, start_worker: StartWorker
) -> None:
    """The figures are by model for ever: two hundred wrong names do not make two hundred more of each."""
    await start_worker()
    submitted = [await queue.submit(f"wrong-{number}", {}) for number in range(200)]
    for prediction in submitted:
        assert (await queue.wait_for(prediction.prediction_id, 10)).status is Status.FAILED
    overview = await queue.inspect.overview(latest=0)
    assert sum(each.count for each in overview.counts) == 200
    assert len({each.model for each in overview.counts}) < 20
    assert len({each.model for each in overview.latencies}) < 20


async def size_of(queue: PredictionQueue, name: str) -> int:
    """How many are in it; of a string, its length."""
    redis: RedisClient = queue
    kind = (await redis.type(name)).decode()
    return int(await redis.execute_command(CARDINALITY[kind], name))


async def end_in_every_way(queue: PredictionQueue, settings: Settings) -> None:
    """As ``MOST`` counts them."""

    async def to_end(value: Any, status: Status, model: str = "ways", **options: Any) -> str:
        submitted = await queue.submit(model, value, **options)
        assert (await queue.wait_for(submitted.prediction_id, 10)).status is status
        return submitted.prediction_id

    for number in range(15):
        priority = list(Priority)[number % 2]  # the low queue is paused
        await to_end({"way": "well"}, Status.SUCCEEDED, priority=priority, caller="me" if number % 3 else "")
    await to_end({"way": "second"}, Status.SUCCEEDED, webhook="https://example.com/own")
    dead = [await to_end({"way": "badly"}, Status.FAILED) for _ in range(2)]
    await to_end({}, Status.FAILED, model="nobody")
    assert await queue.drop(dead[:1]) == 1
    replayed = await queue.replay(dead[1])
    assert (await queue.wait_for(replayed.prediction_id, 10)).status is Status.FAILED
    for priority in (Priority.LOW, Priority.LOW):
        await to_end({"way": "well"}, Status.EXPIRED, priority=priority, expires_in_s=0.05)
    waiting = await queue.submit("ways", {"way": "well"}, priority=Priority.LOW)
    running = await queue.submit("ways", {"way": "hang"}, expires_in_s=60)
    await wait_until(lambda: has(queue, running.prediction_id, Status.RUNNING))
    for prediction in (waiting, running):
        await queue.cancel(prediction.prediction_id)
        assert (await queue.wait_for(prediction.prediction_id, 10)).status is Status.CANCELED
    await queue.pause()
    paused = await queue.submit("ways", {"way": "well"}, timeout_s=5)
    await queue.resume()
    assert (await queue.wait_for(paused.prediction_id, 10)).status is Status.SUCCEEDED
    await queue.record_sync([synchronous()])
    await arqs_own(settings)


async def has(queue: PredictionQueue, prediction_id: str, status: Status) -> bool:
    """Whether it stands at that."""
    return (await queue.prediction(prediction_id)).status is status


def synchronous() -> SyncOutcome:
    """One that an API process ran."""
    now_ms = int(time.time() * 1000)
    return SyncOutcome(
        prediction_id="sync",
        model="mock",
        status=Status.SUCCEEDED,
        input={},
        created_at_ms=now_ms,
        started_at_ms=now_ms,
        run_ms=1,
        worker="api",
    )


async def arqs_own(settings: Settings) -> None:
    """A job that ran and one that was aborted, by unmodified arq."""
    assert settings.redis_url is not None
    client = await create_pool(
        RedisSettings.from_dsn(settings.redis_url), job_serializer=serialize, job_deserializer=deserialize
    )
    ran = await client.enqueue_job("predict", "ways", {"way": "well"})
    aborted = await client.enqueue_job("predict", "ways", {"way": "hang"})
    assert ran is not None
    assert aborted is not None
    assert await ran.result(timeout=10, poll_delay=0.01) == {"way": "well"}
    assert await aborted.abort(timeout=10, poll_delay=0.01)
    await client.aclose()
