"""Everything that Redis holds of the queue, read in two round trips."""

from collections.abc import Sequence
from typing import Any

import msgspec

from zypher_jobs.contracts.prediction import Priority, Status
from zypher_jobs.queue import keys
from zypher_jobs.queue.connection import RedisClient


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """By prediction id, whatever the key."""

    lists: dict[Status, list[str]]
    queues: dict[Priority, list[str]]
    later: set[str]
    """What is due at a later time, or leased until then."""
    dead: set[str]
    aborts: set[str]
    deadlines: set[str]
    counted: int
    """Ends, by the counters."""
    jobs: set[str]
    results: set[str]
    leases: dict[str, str]
    """The token of each."""
    attempts: dict[str, int]
    """As the next claim counts on."""
    records: dict[str, tuple[str, int]]
    """Status and number of the last attempt."""


async def read_facts(redis: RedisClient, prediction_ids: Sequence[str]) -> Facts:
    """All sets and counters whole; records of those ids."""
    names = [name.decode() for name in await redis.keys("*")]
    of = {prefix: [n for n in names if n.startswith(prefix)] for prefix in (keys.ARQ_IN_PROGRESS, keys.ARQ_RETRY)}
    sets = [*map(keys.listed, Status), *keys.QUEUES.values(), keys.DEAD, keys.ARQ_ABORT, keys.DEADLINES]
    seconds, micros = await redis.time()
    now_ms = seconds * 1000 + micros // 1000 + 1
    async with redis.pipeline(transaction=False) as pipe:
        for name in sets:
            pipe.zrange(name, 0, -1)
        for queue in keys.QUEUES.values():
            pipe.zrangebyscore(queue, f"({now_ms}", "+inf")
        pipe.hvals(keys.COUNTS)
        for found in of.values():
            pipe.mget(found or ["none"])
        for prediction_id in prediction_ids:
            pipe.hmget(keys.record(prediction_id), "status", "attempts")
        replies: list[Any] = await pipe.execute()
    members = [[member.decode() for member in reply] for reply in replies[: len(sets)]]
    statuses, priorities = len(Status), len(Priority)
    later = replies[len(sets) : len(sets) + priorities]
    counts, leases, attempts, *records = replies[len(sets) + priorities :]
    return Facts(
        lists=dict(zip(Status, members[:statuses], strict=True)),
        queues=dict(zip(keys.QUEUES, members[statuses : statuses + priorities], strict=True)),
        later={member.decode() for ids in later for member in ids},
        dead=set(members[-3]),
        aborts=set(members[-2]),
        deadlines=set(members[-1]),
        counted=sum(map(int, counts)),
        jobs={name.removeprefix(keys.ARQ_JOB) for name in names if name.startswith(keys.ARQ_JOB)},
        results={name.removeprefix(keys.ARQ_RESULT) for name in names if name.startswith(keys.ARQ_RESULT)},
        leases={
            name.removeprefix(keys.ARQ_IN_PROGRESS): token.decode()
            for name, token in zip(of[keys.ARQ_IN_PROGRESS], leases, strict=False)
        },
        attempts={
            name.removeprefix(keys.ARQ_RETRY): int(number)
            for name, number in zip(of[keys.ARQ_RETRY], attempts, strict=False)
        },
        records={
            prediction_id: (record[0].decode(), int(record[1] or 0))
            for prediction_id, record in zip(prediction_ids, records, strict=True)
        },
    )
