"""One prediction as its screen shows it: what is known of it, now or at a time in the past."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal

import msgspec

from zypher_jobs.contracts.prediction import PastAttempt, Prediction, Status
from zypher_tui.core import formats
from zypher_tui.core.rows import Row, at_of, ms_of

Tone = Literal["plain", "dim", "strong", "error"]
OWN_KEY = "local"
"""Id of the key that the dashboards of a machine have for its API."""
SHORT_MS = 10
"""Below, whole milliseconds say too little."""


class Fact(msgspec.Struct, frozen=True):
    """A name and what is known under it, in one clean line."""

    name: str
    value: str
    tone: Tone = "plain"


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """The input of a prediction. It is not cleaned."""

    json: str
    """The text of it; the beginning of that, if it is not whole."""
    is_whole: bool
    why: str = ""
    """Why it is not, as the end of a sentence."""

    @property
    def value(self) -> Any:
        """What it says; raises ``ValueError`` if it is not whole."""
        if not self.is_whole:
            raise ValueError("only its beginning is known")
        return json.loads(self.json)


def given_of(preview: str, *, size_bytes: int, why: str = "") -> Given:
    """What a preview says of an input of that size: a short one is all of it. ``why`` no more can be read."""
    is_whole = len(preview.encode(errors="replace")) == size_bytes and _is_json(preview)
    return Given(json=preview, is_whole=is_whole, why="" if is_whole else why)


def stand_in(row: Row) -> Prediction:
    """What its row tells, for when it cannot be read whole."""
    return Prediction(
        prediction_id=row.prediction_id,
        status=row.status,
        model=row.model,
        mode=row.mode,
        error=row.error,
        attempts=row.attempts,
        progress=row.progress,
        progress_message=row.progress_message,
        created_at=at_of(row.created_ms),
        started_at=None if row.started_ms is None else at_of(row.started_ms),
        finished_at=None if row.finished_ms is None else at_of(row.finished_ms),
        wait_ms=row.wait_ms,
        run_ms=row.run_ms,
        worker=row.worker or None,
        version=row.version,
        priority=row.priority,
    )


def as_of(known: Prediction, at_ms: int) -> Prediction:
    """As it stood at that time, not before it was asked for. Its output and what it logged stay: they have no times."""
    if not _is_later(known, at_ms):
        return known
    past = [each for each in known.past_attempts if ms_of(each.finished_at) <= at_ms]
    begun = _begun(known, at_ms)
    started_at, number, worker = begun or (None, past[-1].number if past else 0, None)
    return msgspec.structs.replace(
        known,
        status=Status.RUNNING if begun else Status.QUEUED,
        past_attempts=past,
        attempts=number,
        started_at=started_at,
        finished_at=None,
        worker=worker,
        error=None,
        progress=None,
        progress_message=None,
        due_at=None,
        queue_position=None,
        estimated_wait_ms=None,
        wait_ms=None if started_at is None else float(ms_of(started_at) - ms_of(known.created_at)),
        run_ms=None,
    )


def facts(known: Prediction, *, caller: str, at_ms: int) -> list[Fact]:
    """Without id and status. ``at_ms``: the time that is shown, for what goes on; 0 is not known."""
    return [*_identity(known, caller), *_times(known, at_ms), *_rest(known)]


def _identity(known: Prediction, caller: str) -> Iterator[Fact]:
    yield Fact("model", f"{known.model}@{known.version}" if known.version else known.model or formats.UNKNOWN, "strong")
    yield Fact("mode", f"{known.mode.value} · {known.priority.value}")
    shown = f"{caller} · a dashboard's own key" if caller == OWN_KEY else caller
    yield Fact("caller", shown or "no key", "plain" if caller else "dim")
    yield Fact("worker", known.worker or formats.UNKNOWN)


def _times(known: Prediction, at_ms: int) -> Iterator[Fact]:
    created_ms = ms_of(known.created_at)
    yield Fact("created", formats.instant(known.created_at))
    if known.started_at is not None and known.status is not Status.QUEUED:
        yield Fact("started", f"{_clock(known.started_at)} · waited {formats.duration_ms(known.wait_ms)}")
    elif at_ms and not known.status.is_terminal:
        yield Fact("started", f"not yet · waits for {formats.duration_ms(at_ms - created_ms)}")
    if known.finished_at is not None:
        run_ms = _run_ms(known)
        ran = f" · ran {formats.duration_ms(run_ms)}" if run_ms is not None else ""
        yield Fact("finished", _clock(known.finished_at) + ran)
        yield Fact("in all", formats.duration_ms(ms_of(known.finished_at) - created_ms))
    elif known.started_at is not None and known.status is Status.RUNNING and at_ms:
        yield Fact("finished", f"not yet · runs for {formats.duration_ms(at_ms - ms_of(known.started_at))}")


def _run_ms(known: Prediction) -> float | None:
    """From start to finish, as lists and waterfall have it; of a short one what the model took, which is finer."""
    if known.started_at is None or known.finished_at is None or known.run_ms is None:
        return known.run_ms
    between_ms = float(ms_of(known.finished_at) - ms_of(known.started_at))
    return between_ms if between_ms >= SHORT_MS else known.run_ms


def _rest(known: Prediction) -> Iterator[Fact]:
    following = "" if known.due_at is None else f" · the next not before {_clock(known.due_at)}"
    yield Fact("attempts", f"{known.attempts}{following}")
    if known.queue_position is not None:
        estimate = known.estimated_wait_ms
        soon = f" · about {formats.duration_ms(estimate)} to wait" if estimate is not None else ""
        yield Fact("ahead", formats.count(known.queue_position) + soon)
    if known.progress is not None and not known.status.is_terminal:
        yield Fact("progress", formats.progress(known.progress, known.progress_message))
    if known.deadline_at is not None:
        yield Fact("deadline", formats.instant(known.deadline_at))
    if known.replay_of:
        yield Fact("replay of", known.replay_of)
    if known.trace_id:
        yield Fact("trace", known.trace_id)


def _is_later(known: Prediction, at_ms: int) -> bool:
    """Whether something of it happened after that time."""
    instants = [known.started_at, known.finished_at, *(each.finished_at for each in known.past_attempts)]
    return any(ms_of(each) > at_ms for each in instants if each is not None)


def _begun(known: Prediction, at_ms: int) -> tuple[datetime, int, str | None] | None:
    """The attempt that ran then."""
    running: PastAttempt | None = None
    for each in known.past_attempts:
        if ms_of(each.started_at) <= at_ms < ms_of(each.finished_at):
            running = each
    if running is not None:
        return running.started_at, running.number, running.worker or None
    is_last = known.started_at is not None and known.status is not Status.QUEUED
    if known.started_at is not None and is_last and ms_of(known.started_at) <= at_ms:
        return known.started_at, known.attempts, known.worker
    return None


def _clock(at: datetime) -> str:
    local = at.astimezone()
    return f"{local:%H:%M:%S}.{local.microsecond // 1000:03}"


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
