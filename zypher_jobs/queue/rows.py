"""What the Lua scripts read and answer with, as structs, and how what is claimed or handed over is decoded."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

import msgspec

from zypher_jobs.contracts.prediction import Status
from zypher_jobs.queue import keys
from zypher_jobs.queue.frames import unframe

REPLAYED = -2
"""The ``Submitted.state`` of one that replays what was replayed before."""


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
    webhook: str = ""
    """Who is told by HTTP, as ``deliver.lua`` reads it: a URL, and behind it the statuses of which it is told."""
    trace: str = ""
    """``TraceContext.stored`` of its caller."""
    once: bool = False
    """Whether it is queued only if what it replays was not replayed before."""

    @property
    def is_usual(self) -> bool:
        """Whether ``hand.lua`` may queue it."""
        return not self.webhook and not self.replay_of


class Submission(msgspec.Struct, frozen=True):
    """A prediction to be queued, with its job in arq's format."""

    new: New
    job: bytes


class Submitted(msgspec.Struct, frozen=True, gc=False):
    """What became of one submission."""

    state: int
    """1 queued or handed to a worker, 0 known already, -1 the queue is full, -2 it was replayed before."""
    now_ms: int
    """The server's clock."""
    ahead: int
    """Predictions ahead, -1 if a worker has it already; created ms if it is known; the queue's depth if it is full."""
    room_in_ms: int
    """Until there is room in a full queue; -1: unknown."""


class Canceled(NamedTuple):
    """What became of one that was to be canceled."""

    status: Status
    """That it has now: ``canceled``, ``running`` while it stops, or as it had ended."""
    is_new: bool
    """Whether that is this call's doing."""


class Retried(StrEnum):
    """What became of one that was to be due at once."""

    NOW = "retried"
    """It waited for a later time, and is due."""
    DUE = "due"
    """It was due before, and waits for its turn."""
    RUNNING = "running"
    """Somebody holds it."""
    ENDED = "ended"


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
    load_us: int = 0
    """Of ``run_us``, until its model was loaded."""

    @property
    def is_usual(self) -> bool:
        """Whether ``finish_one.lua`` may end it."""
        return self.status == "succeeded" and self.attempt == 1 and self.result_ttl_ms > 0 and not self.load_us

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
