"""What workers count beside predictions: their batches, and how deliveries of webhooks go. ``/metrics`` shows it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from zypher_jobs.contracts.stats import AttemptTally, BatchTally, Tallies
from zypher_jobs.queue import keys
from zypher_jobs.queue.connection import RedisClient, redis_errors
from zypher_jobs.queue.latency import BOUNDS_MS

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[str, str, str, int]).decode
_OUTCOMES = ("succeeded", "failed")


class Field(NamedTuple):
    """Of the hash of batches: a bucket (``size``, ``wait``) or a sum (``predictions``, ``waited_ms``) of a version."""

    model: str
    version: str
    what: str
    bucket: int = 0


async def count_batches(redis: RedisClient, grown: Mapping[Field, int]) -> None:
    """Add to them; raises ``RedisUnavailable``."""
    with redis_errors():
        async with redis.pipeline(transaction=True) as pipe:
            for field, by in grown.items():
                pipe.hincrby(keys.BATCHES, _encode(field).decode(), by)
            await pipe.execute()


async def read_tallies(redis: RedisClient) -> Tallies:
    """All of them; raises ``RedisUnavailable``."""
    with redis_errors():
        async with redis.pipeline(transaction=False) as pipe:
            pipe.hgetall(keys.BATCHES)
            pipe.hgetall(keys.DELIVERED)
            pipe.zcard(keys.DELIVERIES)
            rows: list[Any] = await pipe.execute()
    counts = {name.decode(): int(count) for name, count in rows[1].items()}
    return Tallies(
        batches=_batches({Field(*_decode(name)): int(count) for name, count in rows[0].items()}),
        deliveries={outcome: counts.get(outcome, 0) for outcome in ("delivered", "failed", "refused")},
        deliveries_pending=rows[2],
        attempts=[_attempts(outcome, counts) for outcome in _OUTCOMES],
    )


def _batches(counts: Mapping[Field, int]) -> list[BatchTally]:
    found: dict[tuple[str, str], dict[str, dict[int, int]]] = {}
    for field, count in counts.items():
        found.setdefault((field.model, field.version), {}).setdefault(field.what, {})[field.bucket] = count
    return [
        BatchTally(
            model=model,
            version=version,
            by_size=of.get("size", {}),
            predictions=of.get("predictions", {}).get(0, 0),
            by_wait=of.get("wait", {}),
            waited_ms=of.get("waited_ms", {}).get(0, 0),
        )
        for (model, version), of in sorted(found.items())
    ]


def _attempts(outcome: str, counts: Mapping[str, int]) -> AttemptTally:
    return AttemptTally(
        outcome=outcome,
        bounds_ms=list(BOUNDS_MS),
        counts=[counts.get(f"{outcome}|{bucket}", 0) for bucket in range(len(BOUNDS_MS) + 1)],
        sum_ms=counts.get(f"{outcome}|sum_us", 0) / 1000,
    )
