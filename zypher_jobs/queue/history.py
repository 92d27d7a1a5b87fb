"""What was recorded of the whole system, every ten seconds of the last hours; ``historian`` writes it."""

import time
import zlib
from datetime import datetime

import msgspec

from zypher_jobs.contracts.history import HistoryFrame
from zypher_jobs.queue import keys
from zypher_jobs.queue.connection import RedisClient, redis_errors

MOST = 2_000
"""Frames of one reading."""
AT_ONCE = 200
"""Of these in one round trip: 200 hold the event loop for 15 ms."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(HistoryFrame).decode


async def read_history(redis: RedisClient, *, since: datetime, until: datetime, most: int) -> list[HistoryFrame]:
    """At most ``most`` frames of that time, oldest first, evenly apart; those of a newer Zypher are left out."""
    since_ms, until_ms = (round(each.timestamp() * 1000) for each in (since, until))
    since_ms = max(since_ms, 0)  # Redis has no entries before 1970, nor ids of them
    until_ms = min(until_ms, round(time.time() * 1000) + 60_000)
    if until_ms < since_ms:
        return []
    step_ms = max((until_ms - since_ms) / most, 1.0)
    frames: list[HistoryFrame] = []
    steps = range(min(most, until_ms - since_ms + 1))
    for start in range(0, len(steps), AT_ONCE):
        with redis_errors():
            async with redis.pipeline(transaction=False) as pipe:
                for number in steps[start : start + AT_ONCE]:
                    first_ms = since_ms + round(number * step_ms)
                    last_ms = max(since_ms + round((number + 1) * step_ms) - 1, first_ms)
                    pipe.xrange(keys.HISTORY, min=first_ms, max=last_ms, count=1)
                rows: list[list[tuple[bytes, dict[bytes, bytes]]]] = await pipe.execute()
        found = (_frame(fields[b"frame"]) for row in rows for _, fields in row)
        frames += [each for each in found if each is not None]
    return frames


def packed(frame: HistoryFrame) -> bytes:
    """As it is kept."""
    return zlib.compress(_encode(frame))


def _frame(packed: bytes) -> HistoryFrame | None:
    try:
        return _decode(zlib.decompress(packed))
    except (zlib.error, msgspec.DecodeError):
        return None
