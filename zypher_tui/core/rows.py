"""One prediction as a line of the dashboard: small enough to keep 100,000 of them."""

import sys
from datetime import UTC, datetime
from typing import Self

import msgspec

from zypher_jobs.contracts.event import Event
from zypher_jobs.contracts.prediction import Mode, PredictionFailure, PredictionSummary, Priority, Status
from zypher_tui.core.previews import as_preview, compact

PREVIEW_CHARS = 100
"""Longest text that a row keeps; the whole is read when a prediction is opened."""


class Row(msgspec.Struct, kw_only=True, gc=False):
    """A prediction in the ``Book``, which alone changes it. Its strings are clean, times are Unix ms.

    Times are kept as what lies between them: Python has small numbers once, and most are small.
    """

    prediction_id: str
    status: Status
    created_ms: int
    model: str = ""
    """Empty while only an event without it was heard."""
    version: str = ""
    mode: Mode = Mode.ASYNC
    priority: Priority = Priority.NORMAL
    caller: str = ""
    attempts: int = 0
    begun_after_ms: int | None = None
    """From created to the start of the last attempt."""
    ended_after_ms: int | None = None
    """From that start, or where there was none from created, to the finish."""
    worker: str = ""
    """Of the last attempt."""
    error_code: str = ""
    error_message: str = ""
    fingerprint: str = ""
    """Of its error: the same for failures of the same kind."""
    input_preview: str = ""
    """Its values, for a narrow column; see ``previews.compact``."""
    output_preview: str = ""
    progress: float | None = None
    """Of one that has not ended."""
    progress_message: str | None = None
    is_detailed: bool = False
    """Whether its summary was read since its status changed; an event alone brings no texts."""

    @classmethod
    def of(cls, summary: PredictionSummary) -> Self:
        """What the row of a (clean) summary holds."""
        error = summary.error
        row = cls(
            prediction_id=summary.prediction_id,
            status=summary.status,
            created_ms=ms_of(summary.created_at),
            model=sys.intern(summary.model),
            version=sys.intern(summary.version),
            mode=summary.mode,
            priority=summary.priority,
            caller=sys.intern(summary.caller),
            attempts=summary.attempts,
            worker=sys.intern(summary.worker or ""),
            error_code=sys.intern(error.code) if error else "",
            error_message=sys.intern(error.message[:PREVIEW_CHARS]) if error else "",
            fingerprint=sys.intern(summary.fingerprint),
            input_preview=compact(summary.input_preview)[:PREVIEW_CHARS],
            output_preview=compact(summary.output_preview, given=summary.input_preview)[:PREVIEW_CHARS],
            progress=None if summary.status.is_terminal else summary.progress,
            progress_message=None if summary.status.is_terminal else summary.progress_message,
            is_detailed=True,
        )
        row.set_times(
            started_ms=None if summary.started_at is None else ms_of(summary.started_at),
            finished_ms=None if summary.finished_at is None else ms_of(summary.finished_at),
        )
        return row

    def set_times(self, *, started_ms: int | None, finished_ms: int | None = None) -> None:
        """When the last attempt began, and when it all ended."""
        self.begun_after_ms = None if started_ms is None else started_ms - self.created_ms
        from_ms = self.created_ms if started_ms is None else started_ms
        self.ended_after_ms = None if finished_ms is None else finished_ms - from_ms

    @property
    def started_ms(self) -> int | None:
        """When the last attempt began."""
        return None if self.begun_after_ms is None else self.created_ms + self.begun_after_ms

    @property
    def finished_ms(self) -> int | None:
        """When it ended."""
        return (
            None if self.ended_after_ms is None else self.created_ms + (self.begun_after_ms or 0) + self.ended_after_ms
        )

    def summary(self, *, previews: bool = True) -> PredictionSummary:
        """As a source would tell of it; inputs and outputs as far as lists show them."""
        return PredictionSummary(
            prediction_id=self.prediction_id,
            status=self.status,
            model=self.model,
            version=self.version,
            mode=self.mode,
            caller=self.caller,
            input_preview=as_preview(self.input_preview) if previews else "",
            output_preview=as_preview(self.output_preview) if previews else "",
            error=self.error,
            fingerprint=self.fingerprint,
            priority=self.priority,
            attempts=self.attempts,
            progress=self.progress,
            progress_message=self.progress_message,
            created_at=at_of(self.created_ms),
            started_at=None if self.started_ms is None else at_of(self.started_ms),
            finished_at=None if self.finished_ms is None else at_of(self.finished_ms),
            wait_ms=self.wait_ms,
            run_ms=self.run_ms,
            worker=self.worker or None,
        )

    @property
    def error(self) -> PredictionFailure | None:
        """Why it failed, as far as it is known."""
        return PredictionFailure(code=self.error_code, message=self.error_message) if self.error_code else None

    @property
    def wait_ms(self) -> float | None:
        """From created to the start of the last attempt."""
        return None if self.begun_after_ms is None else float(max(self.begun_after_ms, 0))

    @property
    def run_ms(self) -> float | None:
        """From the start of the last attempt to the finish."""
        if self.begun_after_ms is None or self.ended_after_ms is None:
            return None
        return float(max(self.ended_after_ms, 0))

    @property
    def total_ms(self) -> float | None:
        """From created to the finish."""
        if self.ended_after_ms is None:
            return None
        return float(max((self.begun_after_ms or 0) + self.ended_after_ms, 0))

    @property
    def order(self) -> tuple[int, str]:
        """Where it stands among others: by creation, then by id."""
        return self.created_ms, self.prediction_id

    def as_of(self, now_ms: int) -> "Row":
        """What it was at that time, not before it was created: of earlier attempts, only the last is known."""
        if self.finished_ms is not None and now_ms >= self.finished_ms:
            return self
        if self.finished_ms is None and (self.started_ms is None or now_ms >= self.started_ms):
            return self
        has_begun = self.started_ms is not None and now_ms >= self.started_ms
        return msgspec.structs.replace(
            self,
            status=Status.RUNNING if has_begun else Status.QUEUED,
            begun_after_ms=self.begun_after_ms if has_begun else None,
            ended_after_ms=None,
            worker=self.worker if has_begun else "",
            attempts=self.attempts if has_begun else 0,
            error_code="",
            error_message="",
            fingerprint="",
            output_preview="",
            progress=None,
            progress_message=None,
        )


def as_of(summary: PredictionSummary, now_ms: int) -> PredictionSummary:
    """What it was at that time: a recording that was begun later has a prediction only as it ended."""
    then = (row := Row.of(summary)).as_of(now_ms)
    if then is row:
        return summary
    return msgspec.structs.replace(then.summary(), input_preview=summary.input_preview)


def ms_of(at: datetime) -> int:
    """Unix time in ms."""
    return round(at.timestamp() * 1000)


def at_of(ms: int) -> datetime:
    """The instant, in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def heard(row: Row | None, event: Event) -> Row:
    """The row after an event: changed in place, or new. Its texts follow with its summary."""
    at_ms = ms_of(event.at)
    if row is None:
        row = Row(prediction_id=event.prediction_id, status=Status.QUEUED, created_ms=at_ms)
    if event.model:
        row.model = sys.intern(event.model)
    if row.status.is_terminal or (event.attempt and event.attempt < row.attempts):
        return row  # an event that is older than what a summary said already
    if event.worker:
        row.worker = sys.intern(event.worker)
    row.attempts = max(row.attempts, event.attempt)
    if event.status == "lost":
        return row
    row.status = Status(event.status)
    row.is_detailed = False
    if row.status is Status.RUNNING:
        row.set_times(started_ms=at_ms)
    elif row.status is Status.QUEUED:
        row.set_times(started_ms=None)
    else:
        row.set_times(started_ms=row.started_ms, finished_ms=at_ms)
        row.progress = row.progress_message = None
    return row
