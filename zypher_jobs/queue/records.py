"""A prediction's hash in Redis, as the scripts write it → what callers, lists and operators see of it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import overload

import msgspec

from zypher_jobs.contracts.prediction import (
    DeadLetter,
    Mode,
    PastAttempt,
    Prediction,
    PredictionFailure,
    PredictionSummary,
    Priority,
    Status,
)
from zypher_jobs.contracts.trace import trace_id_of
from zypher_jobs.queue import keys
from zypher_jobs.queue.payloads import deserialize

PRIORITIES = {queue: priority for priority, queue in keys.QUEUES.items()}
"""The reverse of ``keys.QUEUES``."""


class StoredAttempt(msgspec.Struct):
    """One attempt that was not the last, as the scripts write it."""

    started_at_ms: int
    finished_at_ms: int
    worker: str = ""
    error_code: str = ""
    error_message: str = ""


_ATTEMPT = "attempt:"
_decode_attempt = msgspec.json.Decoder(StoredAttempt, strict=False).decode


class Stored(msgspec.Struct, kw_only=True):
    """The record's hash as the scripts write it; a field added by a newer version is ignored."""

    status: Status
    model: str
    mode: Mode
    caller: str = ""
    created_at_ms: int
    started_at_ms: int | None = None
    finished_at_ms: int | None = None
    run_us: int | None = None
    load_us: int | None = None
    attempts: int = 0
    worker: str | None = None
    input_preview: str = ""
    output_preview: str = ""
    error_code: str = ""
    error_message: str = ""
    error_traceback: str = ""
    fingerprint: str = ""
    version: str = ""
    queue: str = keys.ARQ_QUEUE
    deadline_ms: int = 0
    due_at_ms: int = 0
    """Of one that went back to its queue: not before; 0 is at once."""
    input_bytes: int = 0
    output_bytes: int = 0
    replay_of: str = ""
    trace: str = ""
    progress: float | None = None
    progress_message: str = ""
    progress_of: int | None = None
    """When the attempt began that said so, in ms: another one's is none any more."""
    log: str = ""

    @property
    def priority(self) -> Priority:
        """Of the queue it waited in."""
        return PRIORITIES.get(self.queue, Priority.NORMAL)

    @property
    def error(self) -> PredictionFailure | None:
        """The failure, if it has one."""
        return PredictionFailure(code=self.error_code, message=self.error_message) if self.error_code else None

    @property
    def progress_now(self) -> float | None:
        """As its present attempt reports it."""
        if self.status is Status.SUCCEEDED:
            return 1.0
        return self.progress if self.status is Status.RUNNING and self.progress_of == self.started_at_ms else None

    @property
    def progress_message_now(self) -> str | None:
        """What its present attempt is doing."""
        known = self.status is Status.RUNNING and self.progress_of == self.started_at_ms
        return self.progress_message or None if known else None

    @property
    def due_at(self) -> datetime | None:
        """While it waits, the time for which it does."""
        return instant(self.due_at_ms or None) if self.status is Status.QUEUED else None

    @property
    def wait_ms(self) -> float | None:
        """Created → started."""
        return None if self.started_at_ms is None else float(self.started_at_ms - self.created_at_ms)

    @property
    def run_ms(self) -> float | None:
        """Started → finished."""
        return None if self.run_us is None else self.run_us / 1000

    @property
    def load_ms(self) -> float | None:
        """Of it, until the model was loaded; ``None``: it was."""
        return None if self.load_us is None else self.load_us / 1000


def texts(fields: Mapping[bytes, bytes]) -> dict[str, str]:
    """The fields of a record's hash as text; ``output``, which is none, is left out."""
    return {name.decode(): value.decode(errors="replace") for name, value in fields.items() if name != b"output"}


def read_record(fields: Mapping[str, str]) -> Stored:
    """A record; raises ``msgspec.ValidationError`` for one that Zypher did not write."""
    return msgspec.convert(fields, Stored, strict=False)


def has_ended(fields: Mapping[bytes, bytes], result: bytes | None) -> bool:
    """Whether a prediction is terminal; a result alone says so too, see ``prediction_of``."""
    return result is not None or Status(fields[b"status"].decode()).is_terminal


def prediction_of(
    prediction_id: str,
    fields: Mapping[str, str],
    result: bytes | None,
    *,
    sync_output: bytes | None = None,
    ahead: int | None = None,
    ended_per_s: float = 0,
) -> Prediction:
    """All that a caller may know; ``result`` is arq's, ``ahead`` how many are claimed before it."""
    record = read_record(fields)
    status, error, output = record.status, record.error, None
    if result is not None:
        stored = deserialize(result)
        if not status.is_terminal:
            # ended by a stock arq worker that gave up on it before its hooks could say so
            status = Status.SUCCEEDED if stored["s"] else Status.FAILED
        if stored["s"]:
            output = stored["r"]
        elif error is None:
            error = PredictionFailure(code=getattr(stored["r"], "code", "model_error"), message=str(stored["r"]))
    elif sync_output is not None:
        output = msgspec.msgpack.decode(sync_output)
    return Prediction(
        prediction_id=prediction_id,
        status=status,
        model=record.model,
        mode=record.mode,
        output=output,
        error=error,
        attempts=record.attempts,
        progress=1.0 if status is Status.SUCCEEDED else record.progress_now,
        progress_message=record.progress_message_now,
        log=record.log.split("\n") if record.log else [],
        queue_position=ahead if status is Status.QUEUED else None,
        estimated_wait_ms=ahead / ended_per_s * 1000 if ahead is not None and ended_per_s > 0 else None,
        version=record.version,
        priority=record.priority,
        due_at=record.due_at if status is Status.QUEUED else None,
        deadline_at=instant(record.deadline_ms or None),
        input_bytes=record.input_bytes,
        output_bytes=record.output_bytes,
        replay_of=record.replay_of or None,
        trace_id=trace_id_of(record.trace),
        created_at=instant(record.created_at_ms),
        started_at=instant(record.started_at_ms),
        finished_at=instant(record.finished_at_ms),
        wait_ms=record.wait_ms,
        run_ms=record.run_ms,
        load_ms=record.load_ms,
        worker=record.worker,
        past_attempts=_past_attempts(fields) if record.attempts > 1 or not record.attempts else [],
    )


def dead_letter_of(prediction_id: str, fields: Mapping[bytes, bytes]) -> DeadLetter:
    """What an operator sees of one out of attempts."""
    record = read_record(texts(fields))
    return DeadLetter(
        prediction_id=prediction_id,
        model=record.model,
        version=record.version,
        priority=record.priority,
        error=record.error or PredictionFailure(code="prediction_failed", message="It failed."),
        traceback=record.error_traceback,
        fingerprint=record.fingerprint,
        attempts=record.attempts,
        worker=record.worker,
        input_preview=record.input_preview,
        created_at=instant(record.created_at_ms),
        finished_at=instant(record.finished_at_ms or record.created_at_ms),
    )


def summary_of(prediction_id: str, fields: Mapping[bytes, bytes]) -> PredictionSummary:
    """One line of a list."""
    record = read_record(texts(fields))
    return PredictionSummary(
        prediction_id=prediction_id,
        status=record.status,
        model=record.model,
        version=record.version,
        mode=record.mode,
        caller=record.caller,
        input_preview=record.input_preview,
        output_preview=record.output_preview,
        error=record.error,
        fingerprint=record.fingerprint,
        priority=record.priority,
        attempts=record.attempts,
        progress=record.progress_now,
        progress_message=record.progress_message_now,
        created_at=instant(record.created_at_ms),
        due_at=record.due_at,
        started_at=instant(record.started_at_ms),
        finished_at=instant(record.finished_at_ms),
        wait_ms=record.wait_ms,
        run_ms=record.run_ms,
        worker=record.worker,
    )


def _past_attempts(fields: Mapping[str, str]) -> list[PastAttempt]:
    found = [(int(name.removeprefix(_ATTEMPT)), text) for name, text in fields.items() if name.startswith(_ATTEMPT)]
    return [
        PastAttempt(
            number=number,
            started_at=instant(stored.started_at_ms),
            finished_at=instant(stored.finished_at_ms),
            worker=stored.worker,
            error=PredictionFailure(code=stored.error_code, message=stored.error_message),
        )
        for number, stored in ((number, _decode_attempt(text)) for number, text in sorted(found))
    ]


@overload
def instant(at_ms: int) -> datetime: ...
@overload
def instant(at_ms: int | None) -> datetime | None: ...
def instant(at_ms: int | None) -> datetime | None:
    """Unix ms → UTC."""
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC)
