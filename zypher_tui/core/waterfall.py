"""One prediction's life as spans of time: in the queue, each attempt, between them, and telling its webhooks."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Literal

import msgspec

from zypher_jobs.contracts.prediction import Mode, PastAttempt, Prediction, Status
from zypher_jobs.contracts.webhook import Delivery, DeliveryAttempt, DeliveryState
from zypher_tui.core import formats
from zypher_tui.core.story import Told

LOST, HANDED_BACK = "worker_lost", "handed_back"
"""Codes of attempts that did not fail by the model."""
LEAST_GAP_MS = 1.0
"""Between attempts there is always as much: not worth a line."""
SKEW_MS = 2_000.0
"""By how much the clock of a worker may go wrong: so much beside its life, a mark stands at its edge."""


class SpanKind(StrEnum):
    """What happened meanwhile."""

    QUEUE = "queue"
    RETRY = "retry"
    """Between two attempts."""
    LOAD = "load"
    RUN = "run"
    WEBHOOK = "webhook"
    PAUSE = "pause"
    """Before a webhook is told, or told again."""


class Outcome(StrEnum):
    """How it ended."""

    OPEN = "open"
    """It goes on."""
    PASSED = "passed"
    """It led to the next one."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    LOST = "lost"
    HANDED_BACK = "handed back"
    CANCELED = "canceled"
    EXPIRED = "expired"


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Something that took time."""

    kind: SpanKind
    name: str
    start_ms: float
    """Unix time."""
    end_ms: float
    outcome: Outcome = Outcome.PASSED
    note: str = ""
    """What is worth saying of it: the worker, the error, the answer."""

    @property
    def took_ms(self) -> float:
        """Its duration, until now if it goes on."""
        return self.end_ms - self.start_ms


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the model said at an instant."""

    kind: Literal["progress", "log"]
    at_ms: float
    text: str


class Waterfall(msgspec.Struct, frozen=True, kw_only=True):
    """All of it, in order of time."""

    start_ms: float
    end_ms: float
    spans: tuple[Span, ...]
    marks: tuple[Mark, ...] = ()

    @property
    def took_ms(self) -> float:
        """From the first to the last that is known."""
        return self.end_ms - self.start_ms

    @property
    def sentence(self) -> str:
        """Where the time went: ``12.3 s: 68 % in the queue, 30 % waiting for a retry``."""
        took: dict[str, float] = {}
        for span in self.spans:
            if span.kind is not SpanKind.WEBHOOK and span.kind is not SpanKind.PAUSE:
                word = _WORDS[span.kind]
                took[word] = took.get(word, 0.0) + span.took_ms
        total = sum(took.values())
        if total <= 0:
            return formats.duration_ms(total)
        shares = [(word, ms / total) for word, ms in sorted(took.items(), key=lambda each: -each[1])]
        said = [f"{formats.share(share)} {word}" for word, share in shares if share >= 0.05]
        return f"{formats.duration_ms(total)}: {', '.join(said)}"


_WORDS = {
    SpanKind.QUEUE: "in the queue",
    SpanKind.RETRY: "between attempts",
    SpanKind.LOAD: "loading the model",
    SpanKind.RUN: "running",
}


def waterfall(
    prediction: Prediction,
    *,
    now_ms: float,
    deliveries: Sequence[Delivery] = (),
    marks: Sequence[Mark] = (),
) -> Waterfall:
    """Out of what is known; what goes on goes on until ``now_ms``, on the server's clock."""
    spans = [*_life(prediction, now_ms)]
    for delivery in deliveries:
        spans += _telling(delivery, now_ms)
    start_ms = _ms(prediction.created_at)
    end_ms = max([start_ms, *(span.end_ms for span in spans)])
    near = (mark for mark in marks if start_ms - SKEW_MS <= mark.at_ms <= end_ms + SKEW_MS)
    shown = sorted(near, key=lambda mark: mark.at_ms)
    return Waterfall(start_ms=start_ms, end_ms=end_ms, spans=tuple(spans), marks=tuple(shown))


def marks_of(said: Iterable[Told]) -> list[Mark]:
    """Progress and lines of the log that have a time."""
    marks: list[Mark] = []
    for each in said:
        if each.at is None:
            continue
        if each.kind == "progress":
            text = formats.progress(each.progress or 0.0, each.text)
            marks.append(Mark(kind="progress", at_ms=_ms(each.at), text=text))
        elif each.kind == "log":
            marks.append(Mark(kind="log", at_ms=_ms(each.at), text=each.text))
    return marks


def _life(prediction: Prediction, now_ms: float) -> Iterator[Span]:
    at_ms, before = _ms(prediction.created_at), None
    for past in prediction.past_attempts:
        started_ms = max(_ms(past.started_at), at_ms)
        yield from _until_next(prediction, before, at_ms, started_ms, number=past.number)
        at_ms, before = max(_ms(past.finished_at), started_ms), past
        yield Span(
            kind=SpanKind.RUN,
            name=f"attempt {past.number}",
            start_ms=started_ms,
            end_ms=at_ms,
            outcome={LOST: Outcome.LOST, HANDED_BACK: Outcome.HANDED_BACK}.get(past.error.code, Outcome.FAILED),
            note=_note(past.worker, past.error.message),
        )
    ended_ms = None if prediction.finished_at is None else max(_ms(prediction.finished_at), at_ms)
    last_ms = _last_start(prediction, before)
    if last_ms is None:
        is_waiting = not prediction.status.is_terminal
        end_ms = max(now_ms, at_ms) if ended_ms is None else ended_ms
        outcome = Outcome.OPEN if is_waiting else _outcome(prediction.status)
        yield _wait(before, at_ms, end_ms, outcome=outcome, note=_queue_note(prediction))
        return
    last_ms = max(last_ms, at_ms)
    yield from _until_next(prediction, before, at_ms, last_ms, number=prediction.attempts)
    yield from _last_attempt(prediction, last_ms, max(now_ms, last_ms) if ended_ms is None else max(ended_ms, last_ms))


def _last_start(prediction: Prediction, before: PastAttempt | None) -> float | None:
    """When the last attempt began, if it is not one of those before: one that waits again, or was canceled then."""
    started = prediction.started_at
    if started is None or prediction.status is Status.QUEUED:
        return None
    if before is not None and started <= before.started_at:
        return None
    return _ms(started)


def _until_next(
    prediction: Prediction, before: PastAttempt | None, at_ms: float, next_ms: float, *, number: int
) -> Iterator[Span]:
    """What lies between the end of one attempt, or the request, and the start of the next."""
    missing = number - (before.number if before else 0) - 1
    if before is None and (prediction.mode is Mode.SYNC or missing > 0) and next_ms - at_ms < LEAST_GAP_MS:
        return
    if before is not None and next_ms - at_ms < LEAST_GAP_MS:
        return
    note = f"{missing} earlier attempt{'' if missing == 1 else 's'} not kept" if missing > 0 else ""
    yield _wait(before, at_ms, next_ms, note=note)


def _wait(
    before: PastAttempt | None, at_ms: float, end_ms: float, *, outcome: Outcome = Outcome.PASSED, note: str = ""
) -> Span:
    if before is None:
        name, kind = "in the queue", SpanKind.QUEUE
    else:
        kind = SpanKind.RETRY
        code = before.error.code
        name = {LOST: "waited for another worker", HANDED_BACK: "waited in the queue"}.get(code, "waited for a retry")
    return Span(kind=kind, name=name, start_ms=at_ms, end_ms=end_ms, outcome=outcome, note=note)


def _last_attempt(prediction: Prediction, start_ms: float, end_ms: float) -> Iterator[Span]:
    load_ms: float = min(getattr(prediction, "load_ms", None) or 0.0, end_ms - start_ms)
    if load_ms >= LEAST_GAP_MS:
        is_loading = prediction.status is Status.RUNNING and start_ms + load_ms >= end_ms
        yield Span(
            kind=SpanKind.LOAD,
            name="loaded the model",
            start_ms=start_ms,
            end_ms=start_ms + load_ms,
            outcome=Outcome.OPEN if is_loading else Outcome.PASSED,
        )
        start_ms += load_ms
    message = prediction.error.message if prediction.error else ""
    if prediction.status is Status.RUNNING:
        message = (
            "" if prediction.progress is None else formats.progress(prediction.progress, prediction.progress_message)
        )
    yield Span(
        kind=SpanKind.RUN,
        name=f"attempt {prediction.attempts}" if prediction.attempts > 1 else "run",
        start_ms=start_ms,
        end_ms=end_ms,
        outcome=_outcome(prediction.status),
        note=_note(prediction.worker or "", message),
    )


def _telling(delivery: Delivery, now_ms: float) -> Iterator[Span]:
    """Each try of one webhook, and what lies between them."""
    at_ms = _ms(delivery.created_at)
    host = _host(delivery.url) or delivery.webhook_id
    for number, attempt in enumerate(delivery.log):
        started_ms = max(_ms(attempt.at), at_ms)
        if started_ms - at_ms >= LEAST_GAP_MS:
            name = "waited to try again" if number else "waited for the sender"
            yield Span(kind=SpanKind.PAUSE, name=name, start_ms=at_ms, end_ms=started_ms)
        at_ms = started_ms + attempt.duration_ms
        yield Span(
            kind=SpanKind.WEBHOOK,
            name=f"webhook {host}",
            start_ms=started_ms,
            end_ms=at_ms,
            outcome=Outcome.FAILED if attempt.error else Outcome.SUCCEEDED,
            note=_answer(attempt),
        )
    if delivery.state is DeliveryState.PENDING:
        end_ms = max(now_ms, at_ms)
        due_ms = None if delivery.next_attempt_at is None else _ms(delivery.next_attempt_at)
        note = f"next try in {formats.duration_ms(due_ms - now_ms)}" if due_ms is not None and due_ms > now_ms else ""
        name = "waits to try again" if delivery.log else "waits for the sender"
        yield Span(kind=SpanKind.PAUSE, name=name, start_ms=at_ms, end_ms=end_ms, outcome=Outcome.OPEN, note=note)


def _host(url: str) -> str:
    """Without what may be a secret: a name, a password, a path, a query."""
    found = re.match(r"[a-z]+://(?:[^/?#]*@)?(\[[^\]]*\]|[^/:?#]+)", url, re.IGNORECASE)
    return found[1] if found else ""


def _answer(attempt: DeliveryAttempt) -> str:
    said = str(attempt.status) if attempt.status is not None else ""
    return " ".join(part for part in (said, attempt.error) if part)


def _queue_note(prediction: Prediction) -> str:
    if prediction.status is Status.QUEUED and prediction.queue_position is not None:
        ahead = prediction.queue_position
        return f"{ahead:,} ahead" if ahead else "next in line"
    return prediction.error.message if prediction.error else ""


def _outcome(status: Status) -> Outcome:
    return {
        Status.SUCCEEDED: Outcome.SUCCEEDED,
        Status.FAILED: Outcome.FAILED,
        Status.CANCELED: Outcome.CANCELED,
        Status.EXPIRED: Outcome.EXPIRED,
    }.get(status, Outcome.OPEN)


def _note(worker: str, message: str) -> str:
    return " · ".join(part for part in (f"on {worker}" if worker else "", message.split("\n", 1)[0]) if part)


def _ms(at: datetime) -> float:
    return at.timestamp() * 1000
