"""One typed async function for each Lua script; the scripts' own headers say what they do and promise."""

from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from importlib.resources import files
from itertools import count
from typing import Any, cast

import msgspec

from zypher_jobs.queue import keys
from zypher_jobs.queue.connection import RedisClient

Script = Callable[..., Awaitable[Any]]
_PREPENDED = {
    "finish": ("tally",),
    "record": ("tally",),
    "cancel": ("tally",),
    "claim": ("take",),
    "expire": ("take",),
}
_NAMES = {
    "JOB": keys.ARQ_JOB,
    "IN_PROGRESS": keys.ARQ_IN_PROGRESS,
    "RETRY": keys.ARQ_RETRY,
    "RESULT": keys.ARQ_RESULT,
    "ABORT": keys.ARQ_ABORT,
    "RECORD": keys.RECORD,
    "LIST": keys.LIST,
    "SYNC_LIST": keys.SYNC_LIST,
    "DEAD": keys.DEAD,
    "TURN": keys.TURN,
    "TURNS": keys.TURNS,
    "PAUSED": keys.PAUSED,
    "DEADLINES": keys.DEADLINES,
    "RATE": keys.RATE,
    "COUNTS": keys.COUNTS,
    "LATENCY": keys.LATENCY,
    "EVENTS": keys.EVENTS,
    "WAKE": keys.WAKE,
    "DONE": keys.DONE,
}
_NUMBERS = {
    "TURNS_END": keys.TURNS_END,
    "ANY_TIME": 2**53,
    "EVENTS_KEPT": keys.EVENTS_KEPT,
    "DEAD_LETTERS_KEPT": keys.DEAD_LETTERS_KEPT,
    "RATE_BUCKET_MS": keys.RATE_BUCKET_MS,
    "RATE_TTL_MS": keys.RATE_TTL_MS,
    "JOB_TTL_MS": keys.JOB_TTL_MS,
}
_places = count()
_encode = msgspec.msgpack.Encoder().encode


class New(msgspec.Struct, frozen=True, array_like=True):
    """One prediction to be queued, in the order that ``submit.lua`` reads."""

    prediction_id: str
    queue: str
    model: str
    version: str = ""
    caller: str = ""
    """Whom it is for: callers take turns."""
    input_preview: str = ""
    input_bytes: int = 0
    record_ttl_ms: int = keys.JOB_TTL_MS
    deadline_ms: int = 0
    """Unix ms after which it is not begun; 0 is none."""
    depth_limit: int = 0
    """Predictions that may wait in the queue; 0 is no limit."""
    replay_of: str = ""


class Submission(msgspec.Struct, frozen=True):
    """A prediction to be queued, with its job in arq's format."""

    new: New
    job: bytes


class Submitted(msgspec.Struct, frozen=True, array_like=True):
    """What became of one submission."""

    state: int
    """1 queued, 0 known already, -1 the queue is full."""
    at: int
    """Created at, Unix ms; the queue's depth if it is full."""
    ahead: int
    """Predictions ahead; ms until there is room (-1: unknown) if the queue is full."""


class Claim(msgspec.Struct, frozen=True):
    """One prediction taken under a lease."""

    prediction_id: str
    queue: str
    score: int
    """Its turn, or when it was due in Unix ms."""
    attempt: int
    token: str
    job: bytes | None
    """arq's job; ``None`` when it outlived its lifetime in Redis."""
    lost: int
    """Attempts before this one whose worker never reported back."""
    expired: bool
    """Whether its deadline has passed."""
    aborted_at_ms: int
    """It is canceled if it was enqueued before this; 0: nobody asked."""


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
    queue: str
    token: str
    attempt: int
    status: str
    """A terminal status, or ``queued`` to hand it back."""
    model: str = ""
    result_ttl_ms: int = 0
    """0 keeps no result, -1 keeps it for ever."""
    output_preview: str = ""
    output_bytes: int = 0
    error_code: str = ""
    error_message: str = ""
    error_traceback: str = ""
    fingerprint: str = ""
    """The same for failures of the same kind."""
    wait_bucket: int = 0
    wait_us: int = 0
    run_bucket: int = 0
    run_us: int = 0
    defer_ms: int = 0
    counts_as_attempt: bool = True
    is_dead: bool = False
    """Whether it becomes a dead letter."""


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
        self._expire = load(redis, "expire")
        self._finish = load(redis, "finish")
        self._cancel = load(redis, "cancel")
        self._forget = load(redis, "forget")
        self._record = load(redis, "record")

    async def submit(self, submissions: Sequence[Submission]) -> list[Submitted]:
        """Queue predictions; for each what became of it."""
        news, jobs = [s.new for s in submissions], [s.job for s in submissions]
        reply = await self._submit(args=[_encode(news), keys.JOB_TTL_MS, *jobs])
        return [Submitted(*row) for row in reply]

    async def claim(self, *, queues: Sequence[str], worker_id: str, room: int, lease_ms: int) -> Claimed:
        """Take up to ``room`` due predictions of some arq queues, in order of preference."""
        reply = await self._claim(keys=queues, args=[worker_id, room, lease_ms, keys.JOB_TTL_MS, next(_places) % 10])
        return _claimed(reply)

    async def expire(self, *, worker_id: str, room: int, lease_ms: int) -> Claimed:
        """Take up to ``room`` predictions that waited past their deadline."""
        return _claimed(await self._expire(args=[worker_id, room, lease_ms, keys.JOB_TTL_MS]))

    async def wake_up(self, timeout_s: float) -> None:
        """Until something is submitted or handed back, at most ``timeout_s`` (less than the client's own time-out)."""
        await self._redis.execute_command("BLPOP", keys.WAKE, timeout_s)

    async def finish(self, finishes: Sequence[Finish], *, retention_ms: int) -> list[bool]:
        """End attempts; for each whether it was accepted (``False``: its lease was no longer the worker's)."""
        ended, results = [f.ended for f in finishes], [f.result for f in finishes]
        reply = await self._finish(args=[retention_ms, keys.DEAD_TTL_MS, _encode(ended), *results])
        return [accepted == 1 for accepted in reply]

    async def cancel(self, prediction_id: str, *, result: bytes, retention_ms: int) -> str | None:
        """Cancel one prediction; the status it has now, ``running`` while it stops, ``None`` when it is unknown."""
        status = await self._cancel(args=[prediction_id, result, retention_ms])
        return None if status is None else status.decode()

    async def forget(self, prediction_ids: Sequence[str], *, how: str) -> int:
        """``drop`` dead letters, or mark them as ``replayed``; how many there were."""
        return await self._forget(args=[how, *prediction_ids])

    async def record(self, records: Sequence[Record], *, retention_ms: int) -> int:
        """Record predictions that ended outside a lease; how many records were written."""
        recorded, outputs = [r.recorded for r in records], [r.output for r in records]
        return await self._record(args=[retention_ms, keys.SYNC_RECORDS_KEPT, _encode(recorded), *outputs])


def _claimed(reply: Any) -> Claimed:
    now_ms, next_due_ms, *rows = reply
    return Claimed(
        now_ms,
        None if next_due_ms < 0 else next_due_ms,
        [
            Claim(r[0].decode(), r[1].decode(), int(r[2]), r[3], r[4].decode(), r[5], r[6], r[7] == 1, r[8])
            for r in rows
        ],
    )


def load(redis: RedisClient, name: str) -> Script:
    """A script as a function of ``keys`` and ``args``: by its digest, and with its text where the server lacks it."""
    return cast("Script", redis.register_script(source(name)))


@cache
def source(name: str) -> str:
    """The text of a script, after the names of keys and what it calls."""
    folder = files("zypher_jobs.queue") / "scripts"
    names = [f"local {name} = '{value}'" for name, value in _NAMES.items()]
    numbers = [f"local {name} = {value}" for name, value in _NUMBERS.items()]
    parts = [
        (folder / f"{part}.lua").read_text(encoding="utf-8") for part in ("common", *_PREPENDED.get(name, ()), name)
    ]
    return "\n".join([*names, *numbers, *parts])
