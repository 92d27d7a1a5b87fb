"""A prediction: the caller's unit of work, its status, and what is known of it."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec


class Status(StrEnum):
    """Where a prediction stands: ``queued → running → succeeded | failed | canceled | expired``.

    ``running → queued`` happens again when an attempt ends without a verdict (its worker died or drained).
    """

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing can follow."""
        return self not in (Status.QUEUED, Status.RUNNING)


class Mode(StrEnum):
    """How the caller asked: the answer in the response, or later."""

    SYNC = "sync"
    ASYNC = "async"


class Priority(StrEnum):
    """Which queue a prediction waits in. No queue starves: of ten places six prefer high, three normal, one low."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class PredictionFailure(msgspec.Struct, frozen=True, kw_only=True):
    """Why a prediction did not succeed: a stable ``code`` for programs, a ``message`` for people."""

    code: str
    message: str


class PastAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt after which the prediction went back to its queue."""

    number: int
    started_at: datetime
    finished_at: datetime
    worker: str = ""
    error: PredictionFailure
    """Why it was not the last: the model's error, ``worker_lost``, or ``handed_back`` by a worker that drained."""


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """All that a caller may know of one prediction."""

    prediction_id: str
    status: Status
    model: str
    mode: Mode
    output: Any = None
    """The model's output once ``succeeded``; otherwise ``None``."""
    error: PredictionFailure | None = None
    attempts: int = 0
    """Attempts begun so far; the first is 1."""
    progress: float | None = None
    """0 to 1 as the model reports it; 1 once succeeded; ``None`` when unknown."""
    progress_message: str | None = None
    """What the model says it is doing while ``running``."""
    log: list[str] = []
    """The last lines that the model logged."""
    queue_position: int | None = None
    """Predictions ahead of this one while ``queued`` (0 is next); otherwise ``None``."""
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    wait_ms: float | None = None
    """From created to the start of the last attempt."""
    run_ms: float | None = None
    """From the start of the last attempt to the finish."""
    load_ms: float | None = None
    """Of ``run_ms``, how long it waited for its model to load or to wake; ``None``: it was loaded already."""
    worker: str | None = None
    """Id of the worker (or API process) that ran the last attempt."""
    version: str = ""
    """Of the model, as it was submitted."""
    priority: Priority = Priority.NORMAL
    estimated_wait_ms: float | None = None
    """From now, at the current rate, while ``queued``; ``None`` when unknown."""
    due_at: datetime | None = None
    """While ``queued`` after an attempt that failed: the next one is not begun before; ``None``: as its turn comes."""
    deadline_at: datetime | None = None
    """Not begun after this."""
    input_bytes: int = 0
    output_bytes: int = 0
    replay_of: str | None = None
    """The prediction that this one repeats."""
    trace_id: str | None = None
    """Of the trace in which it was asked for, if the caller sent ``traceparent`` or the server traces."""
    past_attempts: list[PastAttempt] = []
    """Those before the last one, oldest first."""


class PredictionSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a list of predictions: previews instead of whole inputs and outputs.

    Previews are JSON text cut at ``PREVIEW_CHARS`` characters. They are what callers and models sent:
    untrusted, to be cleaned before a terminal sees them.
    """

    prediction_id: str
    status: Status
    model: str
    version: str = ""
    """Of the model, as it was submitted."""
    mode: Mode
    caller: str = ""
    """Id of the key that asked for it; empty: there was none."""
    input_preview: str = ""
    output_preview: str = ""
    error: PredictionFailure | None = None
    fingerprint: str = ""
    """Of its error: the same for failures of the same kind."""
    priority: Priority = Priority.NORMAL
    attempts: int = 0
    progress: float | None = None
    progress_message: str | None = None
    created_at: datetime
    due_at: datetime | None = None
    """While ``queued`` after an attempt that failed: the next one is not begun before."""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    wait_ms: float | None = None
    run_ms: float | None = None
    worker: str | None = None


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A prediction out of attempts, kept until someone replays or drops it."""

    prediction_id: str
    model: str
    version: str = ""
    priority: Priority = Priority.NORMAL
    error: PredictionFailure
    traceback: str = ""
    """For operators; callers never see it."""
    fingerprint: str = ""
    """The same for failures of the same kind."""
    attempts: int = 0
    worker: str | None = None
    input_preview: str = ""
    created_at: datetime
    finished_at: datetime


class DeadLetterGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Dead letters with the same kind of error."""

    fingerprint: str
    model: str
    error: PredictionFailure
    """Of the newest."""
    count: int
    first_at: datetime
    last_at: datetime
    newest_id: str
    last_good_id: str | None = None
    """The newest prediction of that model that succeeded, of the newest that did; ``None``: none is kept."""
    last_good_at: datetime | None = None
    """When it ended."""


PREVIEW_CHARS = 200
"""Longest preview, in characters."""


class SyncOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """A prediction that ran in an API process, as the recorder hands it to the queue afterwards.

    With ``keep_record`` false it is only counted: no record, no result, no place in the lists.
    """

    prediction_id: str
    model: str
    version: str = ""
    status: Status
    input: Any
    output: Any = None
    input_preview: str = ""
    output_preview: str = ""
    input_bytes: int = 0
    output_bytes: int = 0
    error: PredictionFailure | None = None
    created_at_ms: int
    started_at_ms: int
    run_ms: float
    load_ms: float = 0
    """Of it, until its model was loaded."""
    worker: str
    caller: str = ""
    trace: str = ""
    """``TraceContext.stored`` of its caller."""
    keep_record: bool = True
