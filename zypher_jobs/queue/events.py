"""Follows the event stream: from an id on, or what comes from now on; through outages.

The scripts write all that one of them did as one entry, so an event's id is its entry's with its number in it:
``1700000000000-0.3``. The stream keeps ``EVENTS_KEPT`` entries; a reader that is further behind goes on with the
oldest.
"""

import logging
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import msgspec

from zypher_jobs.contracts.event import Event
from zypher_jobs.errors import RedisUnavailable
from zypher_jobs.queue import keys
from zypher_jobs.queue.backoff import Backoff
from zypher_jobs.queue.connection import RedisClient, connection_options, redis_errors
from zypher_jobs.queue.records import instant

log = logging.getLogger("zypher.queue")

ENTRIES_AT_ONCE = 20
"""Read in one round trip; an entry holds up to 500 events."""
_BLOCK_S = 5.0
_ID = re.compile(r"(\d{1,20})-(\d{1,20})(?:\.(\d{1,6}))?")
_LAST_SEQUENCE = 2**64 - 1

_decode = msgspec.msgpack.Decoder(list[tuple[str, str, str, int, str]]).decode


async def follow(redis: RedisClient, after_id: str = "$") -> AsyncGenerator[Event]:
    """Events without end, in order: those after ``after_id`` (an ``event_id``, or ``0`` for all that are kept).

    ``$`` is what happens from the first read on. While Redis is away it waits, and goes on where it stopped. Raises
    ``ValueError`` for an id that is none. It holds one of the client's connections; close it with ``aclose``.
    """
    entry, seen = _start(after_id)
    backoff = Backoff()
    while True:
        try:
            if entry == "$":
                entry = await _newest(redis)
            entries = await _read(redis, entry)
        except RedisUnavailable as error:
            log.info("cannot follow", extra={"error": error.message})
            await backoff.sleep()
            continue
        backoff.reset()
        for name, fields in entries:
            entry = name.decode()
            for event in _events(entry, fields):
                if seen is None or _order(event.event_id) > seen:
                    yield event


def is_event_id(text: str) -> bool:
    """Whether events may be followed from there on."""
    return text == "0" or _ID.fullmatch(text) is not None


def _start(after_id: str) -> tuple[str, tuple[int, int, int] | None]:
    """The entry to read behind, and the event up to which that read brings nothing new."""
    if after_id in ("$", "0"):
        return after_id, None
    match = _ID.fullmatch(after_id)
    if match is None:
        raise ValueError(f"{after_id!r} is no event's id.")
    ms, sequence = int(match[1]), int(match[2])
    if match[3] is None:
        return after_id, None
    # the entry it stands in is read again: more may stand behind it
    before = f"{ms}-{sequence - 1}" if sequence else f"{max(0, ms - 1)}-{_LAST_SEQUENCE}"
    return before, (ms, sequence, int(match[3]))


def _order(event_id: str) -> tuple[int, int, int]:
    ms, _, rest = event_id.partition("-")
    sequence, _, number = rest.partition(".")
    return int(ms), int(sequence), int(number)


async def _newest(redis: RedisClient) -> str:
    with redis_errors():
        entries: list[Any] = await redis.xrevrange(keys.EVENTS, count=1)
    return entries[0][0].decode() if entries else "0"


async def _read(redis: RedisClient, after: str) -> Sequence[tuple[bytes, Mapping[bytes, bytes]]]:
    block_s, answer_timeout_s = _BLOCK_S, connection_options(redis).get("socket_timeout")
    if answer_timeout_s is not None:
        block_s = min(block_s, answer_timeout_s / 2)
    with redis_errors():
        streams: Any = await redis.xread(
            {keys.EVENTS: after}, count=ENTRIES_AT_ONCE, block=max(1, round(block_s * 1000))
        )
    return streams[0][1] if streams else []


def _events(entry: str, fields: Mapping[bytes, bytes]) -> list[Event]:
    at = instant(int(fields[b"at_ms"]))
    return [
        Event(
            event_id=f"{entry}.{number}",
            at=at,
            prediction_id=prediction_id,
            status=status,
            model=model,
            attempt=attempt,
            worker=worker,
        )
        for number, (prediction_id, status, model, attempt, worker) in enumerate(_decode(fields[b"events"]), start=1)
    ]
