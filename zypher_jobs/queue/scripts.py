"""One typed async function for each Lua script; the scripts' own headers say what they do and promise."""

from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, cast

import msgspec

from zypher_jobs.queue import keys
from zypher_jobs.queue.connection import RedisClient

_encode = msgspec.msgpack.Encoder().encode
Script = Callable[..., Awaitable[Any]]
_PREPENDED = {"finish": "tally", "record": "tally"}


class Claim(msgspec.Struct, frozen=True):
    """One prediction taken under a lease."""

    prediction_id: str
    score: int
    """When it was due, Unix ms."""
    attempt: int
    token: str
    job: bytes | None
    """arq's job; ``None`` when it outlived its lifetime in Redis."""


class Claimed(msgspec.Struct, frozen=True):
    """The answer to one claim."""

    now_ms: int
    """The server's clock."""
    next_due_ms: int | None
    """Until the next deferred prediction is due; ``None`` when none is, or when there was no room to look."""
    claims: list[Claim]


class Ended(msgspec.Struct, frozen=True, array_like=True):
    """One attempt that ended, in the order that ``finish.lua`` reads."""

    prediction_id: str
    token: str
    attempt: int
    status: str
    """A terminal status, or ``queued`` to hand it back."""
    result_ttl_ms: int = 0
    """0 keeps no result, -1 keeps it for ever."""
    output_preview: str = ""
    error_code: str = ""
    error_message: str = ""
    wait_bucket: int = 0
    wait_us: int = 0
    run_bucket: int = 0
    run_us: int = 0
    defer_ms: int = 0
    counts_as_attempt: bool = True


class Finish(msgspec.Struct, frozen=True):
    """An attempt that ended, with its result in arq's format."""

    ended: Ended
    result: bytes = b""


class Recorded(msgspec.Struct, frozen=True, array_like=True):
    """One prediction that ended outside a lease, in the order that ``record.lua`` reads."""

    prediction_id: str
    model: str
    mode: str
    status: str
    wait_bucket: int
    wait_us: int
    run_bucket: int
    run_us: int
    created_at_ms: int
    fields: list[str | int] | None
    """Field, value, … of the record; ``None`` only counts the prediction."""


class Record(msgspec.Struct, frozen=True):
    """A prediction that ended outside a lease, with its output as MessagePack (empty: none, or kept elsewhere)."""

    recorded: Recorded
    output: bytes = b""


class Scripts:
    """The scripts over one client. They raise redis-py's errors; wrap calls in ``connection.redis_errors``."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self._submit = load(redis, "submit")
        self._claim = load(redis, "claim")
        self._finish = load(redis, "finish")
        self._record = load(redis, "record")

    async def submit(
        self, prediction_id: str, *, job: bytes, retention_ms: int, model: str, input_preview: str
    ) -> tuple[int, int]:
        """Queue one prediction; ``(created ms, predictions ahead)``."""
        reply = await self._submit(
            keys=[
                *(keys.ARQ_QUEUE, keys.job(prediction_id), keys.result(prediction_id), keys.record(prediction_id)),
                *(keys.INDEX, keys.RUNNING, keys.WAKE),
            ],
            args=[prediction_id, job, keys.JOB_TTL_MS, keys.JOB_TTL_MS + retention_ms, model, input_preview],
        )
        created_at_ms, ahead = reply
        return created_at_ms, ahead

    async def claim(self, *, queue: str, worker_id: str, room: int, lease_ms: int) -> Claimed:
        """Take up to ``room`` due predictions of one arq queue."""
        reply = await self._claim(
            keys=[queue, keys.RUNNING, keys.WAKE],
            args=[
                *(worker_id, room, lease_ms, keys.JOB_TTL_MS),
                *(keys.ARQ_IN_PROGRESS, keys.ARQ_RETRY, keys.ARQ_JOB, keys.RECORD),
            ],
        )
        now_ms, next_due_ms, *rows = reply
        return Claimed(
            now_ms,
            None if next_due_ms < 0 else next_due_ms,
            [Claim(r[0].decode(), int(float(r[1])), r[2], r[3].decode(), r[4]) for r in rows],
        )

    async def wake_up(self, timeout_s: float) -> None:
        """Until something is submitted or handed back, at most ``timeout_s`` (less than the client's own time-out)."""
        await self._redis.execute_command("BLPOP", keys.WAKE, timeout_s)

    async def finish(self, finishes: Sequence[Finish], *, queue: str, retention_ms: int) -> list[bool]:
        """End attempts; for each whether it was accepted (``False``: its lease was no longer the worker's)."""
        reply = await self._finish(
            keys=[queue, keys.RUNNING, keys.ARQ_ABORT, keys.COUNTS, keys.LATENCY, keys.WAKE],
            args=[
                *(retention_ms, keys.ARQ_IN_PROGRESS, keys.ARQ_RETRY, keys.ARQ_JOB, keys.ARQ_RESULT),
                *(keys.RECORD, keys.DONE, _encode([f.ended for f in finishes])),
                *(f.result for f in finishes),
            ],
        )
        return [accepted == 1 for accepted in reply]

    async def record(self, records: Sequence[Record], *, retention_ms: int) -> int:
        """Record predictions that ended outside a lease; how many records were written."""
        return await self._record(
            keys=[keys.SYNC_INDEX, keys.COUNTS, keys.LATENCY],
            args=[
                *(retention_ms, keys.SYNC_RECORDS_KEPT, keys.RECORD, keys.DONE),
                *(_encode([r.recorded for r in records]), *(r.output for r in records)),
            ],
        )


def load(redis: RedisClient, name: str) -> Script:
    """A script as a function of ``keys`` and ``args``: by its digest, and with its text where the server lacks it."""
    return cast("Script", redis.register_script(source(name)))


@cache
def source(name: str) -> str:
    """The text of a script, with what it calls before it."""
    folder = files("zypher_jobs.queue") / "scripts"
    parts = [*([_PREPENDED[name]] if name in _PREPENDED else []), name]
    return "\n".join((folder / f"{part}.lua").read_text(encoding="utf-8") for part in parts)
