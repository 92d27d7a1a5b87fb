"""One typed async function for each Lua script; the scripts' own headers say what they do and promise."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from itertools import count

import msgspec

from zypher_jobs.queue import keys
from zypher_jobs.queue.frames import unframe
from zypher_jobs.queue.wire import Script, Wire

_PREPENDED = {
    "submit": ("frame", "idle"),
    "hand": ("frame",),
    "finish_one": ("frame", "register", "notify", "tell"),
    "claim": ("frame", "idle", "register", "notify", "take"),
    "expire": ("frame", "notify", "take"),
    "finish": ("frame", "idle", "register", "notify", "tell", "tally"),
    "record": ("frame", "notify", "tell", "tally"),
    "cancel": ("frame", "notify", "tell", "tally"),
    "narrate": ("notify",),
    "wake": ("frame", "idle"),
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
    "IDLE": keys.IDLE,
    "NOTHING": keys.NOTHING,
    "REFUSED": keys.REFUSED,
    "WORKERS": keys.WORKERS,
    "WORK": keys.WORK,
    "REPLIES": keys.REPLIES,
    "STORY": keys.STORY,
    "WATCHED": keys.WATCHED,
    "WATCH": keys.WATCH,
    "SHADOW": keys.SHADOW,
    "DEPLOYED": keys.DEPLOYED,
}
_NUMBERS = {
    "TURNS_END": keys.TURNS_END,
    "ANY_TIME": 2**53,
    "EVENTS_KEPT": keys.EVENTS_KEPT,
    "EVENTS_AT_ONCE": keys.EVENTS_AT_ONCE,
    "DEAD_LETTERS_KEPT": keys.DEAD_LETTERS_KEPT,
    "RATE_BUCKET_MS": keys.RATE_BUCKET_MS,
    "RATE_TTL_MS": keys.RATE_TTL_MS,
    "RATE_BUCKETS": keys.RATE_BUCKETS,
    "ABORT_KEPT_MS": keys.ABORT_KEPT_MS,
    "HANDED_BYTES": keys.HANDED_BYTES,
    "MESSAGE_BYTES": keys.MESSAGE_BYTES,
    "TOLD_BYTES": keys.TOLD_BYTES,
    "TRIM_EVERY": 8,
    "STORY_ENDED_TTL_MS": keys.STORY_ENDED_TTL_MS,
    "STORY_BYTES": keys.STORY_BYTES,
    "ENTRY_BYTES": keys.ENTRY_BYTES,
    "WATCHED_TTL_MS": keys.WATCHED_TTL_MS,
    "SUSPECT_AFTER": keys.SUSPECT_AFTER,
    "SUSPECT_AGAIN_MS": 250,
}
_places = count()
_IDLE, _COMING = 1, 2
_HANDED = -1
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
    expires_in_ms: int = 0
    """After so long it is not begun; 0 is never."""
    depth_limit: int = 0
    """Predictions that may wait in the queue; 0 is no limit."""
    replay_of: str = ""
    reply_to: str = ""
    """The client that is told how it ends."""


class Submission(msgspec.Struct, frozen=True):
    """A prediction to be queued, with its job in arq's format."""

    new: New
    job: bytes


class Submitted(msgspec.Struct, frozen=True, gc=False):
    """What became of one submission."""

    state: int
    """1 queued or handed to a worker, 0 known already, -1 the queue is full."""
    now_ms: int
    """The server's clock."""
    ahead: int
    """Predictions ahead, -1 if a worker has it already; created ms if it is known; the queue's depth if it is full."""
    room_in_ms: int
    """Until there is room in a full queue; -1: unknown."""


class Claim(msgspec.Struct, array_like=True):
    """One prediction taken under a lease, in the order of ``take.lua``."""

    prediction_id: str
    queue: str
    score: int
    """Its turn, or when it was due in Unix ms."""
    attempt: int
    token: str
    job_bytes: int
    """-1 when the job outlived its lifetime in Redis."""
    lost: int
    """Attempts before this one whose worker died with them."""
    expired: bool
    """Whether its deadline has passed."""
    aborted_at_ms: int
    """It is canceled if it was enqueued before this; 0: nobody asked."""
    created_at_ms: int
    """On the server's clock; 0 for a job of arq's own client."""
    is_suspect: bool = False
    """It was lost more than once, beside others: it runs beside no other suspect, to see which of them kills."""
    job: bytes | None = None
    """arq's job, out of the same frame."""


class Claimed(msgspec.Struct, frozen=True):
    """The answer to one claim."""

    now_ms: int
    """The server's clock."""
    next_due_ms: int | None
    """Until the next deferred prediction is due; ``None`` when none is, or when there was no room to look."""
    claims: list[Claim]
    is_idle: bool = False
    """Whether the worker stands idle now, to be handed what comes."""
    is_coming: bool = False
    """Nothing was taken: it was idle, and a message with something is on its way."""


class Finished(msgspec.Struct, frozen=True):
    """The answer to one report."""

    accepted: list[bool]
    """For each end; ``False``: its lease was no longer the worker's."""
    is_idle: bool
    """Whether the worker stands idle now."""
    next_due_ms: int | None


class Idle(msgspec.Struct, frozen=True):
    """A worker as it wants to stand idle once its finishes are written."""

    worker_id: str
    lease_ms: int
    places: int
    queues: Sequence[str]


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
    total_bucket: int = 0
    started_at_ms: int = 0
    version: str = ""
    """Which one answered, where it is not the one that it was submitted for."""

    @property
    def is_usual(self) -> bool:
        """Whether ``finish_one.lua`` may end it."""
        return self.status == "succeeded" and self.attempt == 1 and self.result_ttl_ms > 0

    @property
    def worker_id(self) -> str:
        """Out of its token."""
        return self.token.rpartition("/")[0]


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
    total_bucket: int
    created_at_ms: int
    fields: list[str | int] | None
    """Field, value, … of the record; ``None`` only counts the prediction."""


class Record(msgspec.Struct, frozen=True):
    """A prediction that ended outside a lease, with its output as MessagePack (empty: none, or kept elsewhere)."""

    recorded: Recorded
    output: bytes = b""


class Scripts:
    """The scripts over one wire. They raise redis-py's errors; wrap calls in ``connection.redis_errors``."""

    def __init__(self, wire: Wire) -> None:
        self._hand = Script(wire, source("hand"), publishes=True)
        self._finish_one = Script(wire, source("finish_one"), publishes=True)
        self._was_handed = True
        self._submit = Script(wire, source("submit"), publishes=True)
        self._claim = Script(wire, source("claim"))
        self._expire = Script(wire, source("expire"))
        self._finish = Script(wire, source("finish"), publishes=True)
        self._cancel = Script(wire, source("cancel"))
        self._forget = Script(wire, source("forget"))
        self._record = Script(wire, source("record"))
        self._renew = Script(wire, source("renew"))
        self._wake = Script(wire, source("wake"))

    async def submit(self, submissions: Sequence[Submission]) -> list[Submitted]:
        """Queue predictions, or hand them to idle workers; for each what became of it."""
        if len(submissions) == 1 and self._was_handed:
            handed = await self._hand_over(submissions[0])
            if handed is not None:
                return [handed]
        news, jobs = [s.new for s in submissions], [s.job for s in submissions]
        now_ms, *flat = await self._submit(args=(_encode(news), keys.JOB_TTL_MS, *jobs))
        self._was_handed = flat[1] < 0
        return [Submitted(flat[at], now_ms, flat[at + 1], flat[at + 2]) for at in range(0, len(flat), 3)]

    async def _hand_over(self, submission: Submission) -> Submitted | None:
        """One to an idle worker, which the last one found."""
        new = submission.new
        now_ms = await self._hand(
            args=(
                *(new.prediction_id, new.queue, new.model, new.version, new.caller, new.input_preview, new.input_bytes),
                *(new.record_ttl_ms, new.expires_in_ms, new.replay_of, new.reply_to, keys.JOB_TTL_MS, submission.job),
            )
        )
        return None if now_ms is None else Submitted(1, now_ms, _HANDED, 0)

    async def claim(
        self,
        *,
        queues: Sequence[str],
        worker_id: str,
        room: int,
        lease_ms: int,
        idle_places: int = 0,
        was_idle: bool = False,
        runs_suspect: bool = False,
    ) -> Claimed:
        """Take up to ``room`` due predictions of some arq queues, in order of preference.

        With ``idle_places`` the worker stands idle for what is left of them if it found less than ``room``;
        ``was_idle``: it believes that it stood so. One that ``runs_suspect`` is given no other.
        """
        now_ms, next_due_ms, state, rows = await self._claim(
            keys=queues,
            args=(
                *(worker_id, room, lease_ms, keys.JOB_TTL_MS, next(_places) % 10),
                *(idle_places, "idle" if was_idle else "", "1" if runs_suspect else ""),
            ),
        )
        return Claimed(
            now_ms, None if next_due_ms < 0 else next_due_ms, claims_of(rows), state == _IDLE, state == _COMING
        )

    async def renew(self, claims: Sequence[Claim], *, lease_ms: int) -> set[str]:
        """Renew leases, as the keeper does; the ids of those that are lost."""
        rows = [part for one in claims for part in (one.prediction_id, one.queue, one.token, one.attempt)]
        lost, _ = await self._renew(args=(lease_ms, *rows))
        return {prediction_id.decode() for prediction_id in lost}

    async def expire(self, *, worker_id: str, room: int, lease_ms: int) -> Claimed:
        """Take up to ``room`` predictions that waited past their deadline."""
        now_ms, rows = await self._expire(
            keys=list(keys.QUEUES.values()), args=(worker_id, room, lease_ms, keys.JOB_TTL_MS)
        )
        return Claimed(now_ms, None, claims_of(rows))

    async def finish(self, finishes: Sequence[Finish], *, retention_ms: int, idle: Idle | None = None) -> Finished:
        """End attempts; ``idle`` is how the worker wants to stand when nothing is due."""
        worker_id, lease_ms, places, queues = ("", 0, 0, ()) if idle is None else msgspec.structs.astuple(idle)
        if len(finishes) == 1 and finishes[0].ended.is_usual:
            one = finishes[0].ended
            reply = await self._finish_one(
                keys=queues,
                args=(
                    *(retention_ms, worker_id or one.worker_id, lease_ms, places, one.prediction_id, one.queue),
                    *(one.token, one.model, finishes[0].result, one.result_ttl_ms, one.output_preview),
                    *(one.output_bytes, one.run_us, one.wait_us),
                    f"{one.wait_bucket}.{one.run_bucket}.{one.total_bucket}",
                    *(one.started_at_ms, one.version),
                ),
            )
            if reply is not None:
                return Finished([True], reply[0] == 1, None if reply[1] < 0 else reply[1])
        ended, results = [f.ended for f in finishes], [f.result for f in finishes]
        accepted, is_idle, next_due_ms = await self._finish(
            keys=queues,
            args=(retention_ms, keys.DEAD_TTL_MS, worker_id, lease_ms, places, _encode(ended), *results),
        )
        return Finished([each == 1 for each in accepted], is_idle == 1, None if next_due_ms < 0 else next_due_ms)

    async def cancel(self, prediction_id: str, *, result: bytes, retention_ms: int) -> str | None:
        """Cancel one prediction; the status it has now, ``running`` while it stops, ``None`` when it is unknown."""
        status = await self._cancel(args=(prediction_id, result, retention_ms))
        return None if status is None else status.decode()

    async def forget(self, prediction_ids: Sequence[str], *, how: str) -> int:
        """``drop`` dead letters, or mark them as ``replayed``; how many there were."""
        return await self._forget(args=(how, *prediction_ids))

    async def record(self, records: Sequence[Record], *, retention_ms: int) -> int:
        """Record predictions that ended outside a lease; how many records were written."""
        recorded, outputs = [r.recorded for r in records], [r.output for r in records]
        return await self._record(args=(retention_ms, keys.SYNC_RECORDS_KEPT, _encode(recorded), *outputs))

    async def wake(self) -> None:
        """Have idle workers look for themselves."""
        await self._wake()


def claims_of(rows: bytes) -> list[Claim]:
    """The rows of a frame, each with its job."""
    return _with_jobs(*unframe(rows, _decode_rows)) if rows else []


def handed_of(message: bytes) -> Claimed:
    """What a worker was handed: a message of ``submit.lua``."""
    (now_ms, claims), at = unframe(message, _decode_handed)
    return Claimed(now_ms, None, _with_jobs(claims, at))


def _with_jobs(claims: list[Claim], jobs: memoryview) -> list[Claim]:
    at = 0
    for claim in claims:
        if claim.job_bytes >= 0:
            claim.job = bytes(jobs[at : at + claim.job_bytes])
            at += claim.job_bytes
    return claims


_decode_rows = msgspec.msgpack.Decoder(list[Claim]).decode
_decode_handed = msgspec.msgpack.Decoder(tuple[int, list[Claim]]).decode


@cache
def source(name: str) -> str:
    """The text of a script, after the names of keys and the parts that it calls."""
    folder = files("zypher_jobs.queue") / "scripts"
    names = [f"local {name} = '{value}'" for name, value in _NAMES.items()]
    numbers = [f"local {name} = {value}" for name, value in _NUMBERS.items()]
    parts = [f"parts/{part}.lua" for part in ("common", *_PREPENDED.get(name, ()))]
    texts = [(folder / part).read_text(encoding="utf-8") for part in (*parts, f"{name}.lua")]
    return "\n".join([*names, *numbers, *texts])
