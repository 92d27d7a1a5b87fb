"""Bodies of operators' routes."""

from typing import Any

import msgspec

from zypher_jobs.contracts.history import HistoryFrame
from zypher_jobs.contracts.operation import AuditEntry
from zypher_jobs.contracts.prediction import DeadLetter, DeadLetterGroup, PredictionSummary
from zypher_jobs.contracts.stats import QueueState, WorkerStats


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """A new prediction with the input of an old one."""

    prediction_id: str
    """Of the new one."""
    replay_of: str
    location: str
    """Where to read it."""


class Dropped(msgspec.Struct, frozen=True, kw_only=True):
    """A prediction that is known no more."""

    prediction_id: str


class Skipped(msgspec.Struct, frozen=True, kw_only=True):
    """One that fits and was left as it is."""

    prediction_id: str
    code: str
    reason: str


class BulkDone(msgspec.Struct, frozen=True, kw_only=True):
    """What a call did to those that fit."""

    dry_run: bool
    matched: int
    """Those that fit, of those that were looked at."""
    touched: int
    """Those that were changed; of a `dry_run`: none."""
    skipped: int
    """Those that were left as they are."""
    skips: list[Skipped]
    """Why, of the first 100."""
    replays: list[Replayed] = []
    """The new predictions of a replay."""
    searched: int
    """Predictions that were looked at."""
    next: str | None = None
    """The `before` of the next call; absent when nothing is left to look at."""
    stopped: str | None = None
    """Why it stopped in the middle: Redis went away. The same call again does the rest, and nothing twice."""
    unknown: int = 0
    """Those of which nobody knows whether they were changed, where it stopped."""


class KeptInput(msgspec.Struct, frozen=True, kw_only=True):
    """What a prediction was asked with."""

    prediction_id: str
    input: Any


class DeadLetters(msgspec.Struct, frozen=True, kw_only=True):
    """What failed for good and waits for somebody to replay or drop it."""

    groups: list[DeadLetterGroup]
    """By model and kind of error, of the newest 2,000; the largest first."""
    letters: list[DeadLetter]
    """Newest first."""


class HistoryFrames(msgspec.Struct, frozen=True, kw_only=True):
    """What was recorded, oldest first."""

    frames: list[HistoryFrame]


class QueueList(msgspec.Struct, frozen=True, kw_only=True):
    """Every queue, highest priority first."""

    queues: list[QueueState]


class WorkerList(msgspec.Struct, frozen=True, kw_only=True):
    """Every worker that is alive, by id."""

    workers: list[WorkerStats]


class WorkerDetail(WorkerStats, frozen=True, kw_only=True):
    """One worker's last heartbeat, and what it runs."""

    predictions: list[PredictionSummary]
    """Those that it runs, newest first."""
    searched: int
    """Running predictions of all workers that were looked at: about 2,000 at most, the newest."""


class AuditPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some operations, newest first."""

    entries: list[AuditEntry]
    next: str | None = None
    """The `before` of the page behind this one; absent on the last."""
