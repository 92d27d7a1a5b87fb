"""One typed async function for each Lua script; the scripts' own headers say what they do and promise."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from itertools import count

import msgspec

from zypher_jobs.contracts.prediction import Status
from zypher_jobs.queue import keys
from zypher_jobs.queue.rows import (
    Canceled,
    Claim,
    Claimed,
    Finish,
    Finished,
    Idle,
    Record,
    Retried,
    Submission,
    Submitted,
    claims_of,
)
from zypher_jobs.queue.wire import Script, Wire

_PREPENDED = {
    "submit": ("frame", "idle"),
    "hand": ("frame",),
    "finish_one": ("frame", "register", "notify", "deliver", "tell"),
    "claim": ("frame", "idle", "register", "notify", "take"),
    "expire": ("frame", "notify", "take"),
    "finish": ("frame", "idle", "register", "notify", "deliver", "tell", "tally"),
    "record": ("frame", "notify", "deliver", "tell", "tally"),
    "cancel": ("frame", "notify", "deliver", "tell", "tally"),
    "retry": ("frame", "idle", "notify"),
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
    "WEBHOOKS": keys.WEBHOOKS,
    "WEBHOOKS_FAILING": keys.WEBHOOKS_FAILING,
    "WEBHOOK_SECRETS": keys.WEBHOOK_SECRETS,
    "DELIVERIES": keys.DELIVERIES,
    "DELIVERY": keys.DELIVERY,
    "DELIVERED_TO": keys.DELIVERED_TO,
    "DELIVER": keys.DELIVER,
    "DELIVERED": keys.DELIVERED,
    "LIMIT": keys.LIMIT,
    "PLACES": keys.PLACES,
    "ONCE": keys.ONCE,
    "API_KEYS": keys.API_KEYS,
    "API_KEY_NAMES": keys.API_KEY_NAMES,
    "API_KEYS_CHANGED": keys.API_KEYS_CHANGED,
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
    "WEBHOOKS_KEPT": keys.WEBHOOKS_KEPT,
    "API_KEYS_KEPT": keys.API_KEYS_KEPT,
    "PLACES_TTL_MS": keys.PLACES_TTL_MS,
    "DELIVERY_TTL_MS": keys.DELIVERY_TTL_MS,
    "DELIVERIES_LOGGED": keys.DELIVERIES_LOGGED,
    "DELIVERIES_PENDING": keys.DELIVERIES_PENDING,
    "SUSPECT_AFTER": keys.SUSPECT_AFTER,
    "SUSPECT_AGAIN_MS": 250,
}
_places = count()
_IDLE, _COMING = 1, 2
_HANDED = -1
_encode = msgspec.msgpack.Encoder().encode


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
        self._drop = Script(wire, source("drop"))
        self._retry = Script(wire, source("retry"))
        self._record = Script(wire, source("record"))
        self._renew = Script(wire, source("renew"))
        self._wake = Script(wire, source("wake"))

    async def submit(self, submissions: Sequence[Submission]) -> list[Submitted]:
        """Queue predictions, or hand them to idle workers; for each what became of it."""
        if len(submissions) == 1 and self._was_handed and submissions[0].new.is_usual:
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
                *(new.record_ttl_ms, new.expires_in_ms, new.reply_to, keys.JOB_TTL_MS, submission.job),
                new.trace,
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

    async def cancel(self, prediction_id: str, *, result: bytes, retention_ms: int) -> Canceled | None:
        """Cancel one prediction; what it is now, ``None`` when it is unknown."""
        status, is_new = await self._cancel(args=(prediction_id, result, retention_ms))
        return None if status is None else Canceled(Status(status.decode()), is_new == 1)

    async def retry(self, prediction_ids: Sequence[str], *, is_look: bool = False) -> list[Retried | None]:
        """Have those that wait for a later time be due now; with ``is_look`` only say so. ``None``: it is unknown."""
        states = await self._retry(args=("1" if is_look else "", *prediction_ids))
        return [None if state is None else Retried(state.decode()) for state in states]

    async def forget(self, prediction_ids: Sequence[str]) -> int:
        """Drop dead letters; how many there were."""
        return await self._forget(args=prediction_ids)

    async def drop(self, prediction_ids: Sequence[str]) -> list[int]:
        """Forget those that ended; for each 1, 0 if it is unknown, -1 if it has not ended."""
        return await self._drop(args=prediction_ids)

    async def record(self, records: Sequence[Record], *, retention_ms: int) -> int:
        """Record predictions that ended outside a lease; how many records were written."""
        recorded, outputs = [r.recorded for r in records], [r.output for r in records]
        return await self._record(args=(retention_ms, keys.SYNC_RECORDS_KEPT, _encode(recorded), *outputs))

    async def wake(self) -> None:
        """Have idle workers look for themselves."""
        await self._wake()


@cache
def source(name: str) -> str:
    """The text of a script, after the names of keys and the parts that it calls."""
    folder = files("zypher_jobs.queue") / "scripts"
    names = [f"local {name} = '{value}'" for name, value in _NAMES.items()]
    numbers = [f"local {name} = {value}" for name, value in _NUMBERS.items()]
    parts = [f"parts/{part}.lua" for part in ("common", *_PREPENDED.get(name, ()))]
    texts = [(folder / part).read_text(encoding="utf-8") for part in (*parts, f"{name}.lua")]
    return "\n".join([*names, *numbers, *texts])
