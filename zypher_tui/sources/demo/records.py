"""A prediction of the simulated system, and what each part of the API says of it."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from zypher_jobs.contracts.prediction import (
    PREVIEW_CHARS,
    DeadLetter,
    Mode,
    PastAttempt,
    Prediction,
    PredictionFailure,
    PredictionSummary,
    Priority,
    Status,
)
from zypher_tui.core.story import Told
from zypher_tui.sources.demo.cast import STEPS, Failure

START = datetime(2026, 11, 3, 9, 0, 0, tzinfo=UTC)
LONG_S = 5.0
"""A prediction that runs for longer says how far it is."""
_json = msgspec.json.Encoder().encode


def at(seconds: float) -> datetime:
    """That many seconds after the system's start."""
    return START + timedelta(milliseconds=round(seconds * 1000))


def past_attempt(run: "Run", error: PredictionFailure, ended_s: float) -> PastAttempt:
    """The attempt that a prediction is in, once it is over and another will follow."""
    return PastAttempt(
        number=run.attempts,
        started_at=at(run.started_s or 0),
        finished_at=at(ended_s),
        worker=run.worker,
        error=error,
    )


class Run(msgspec.Struct, kw_only=True, eq=False):
    """A prediction on its way; ``Simulation`` alone changes it. Times are seconds after the system's start."""

    prediction_id: str
    model: str
    version: str
    mode: Mode
    priority: Priority
    caller: str
    given: Any
    created_s: float
    deadline_s: float | None = None
    due_s: float | None = None
    """Of one that waits for its next attempt: not before."""
    status: Status = Status.QUEUED
    attempts: int = 0
    started_s: float | None = None
    ends_s: float = 0.0
    """When this attempt ends, if nothing comes between."""
    finished_s: float | None = None
    worker: str = ""
    failure: Failure | None = None
    """How this attempt ends."""
    past: list[PastAttempt] = []
    replay_of: str = ""
    is_replayed: bool = False
    is_canceled: bool = False
    """Whether somebody wants it to stop."""
    is_fair: bool = False
    """Whether it fails for its input alone, and never by chance: whoever tries the demo sent it."""
    is_exact: bool = False
    """Whether a load sent it: begins at once when its answer is waited for, and is none of the long ones."""

    @property
    def is_dead(self) -> bool:
        """Whether it is a dead letter."""
        return self.status is Status.FAILED and self.mode is Mode.ASYNC and not self.is_replayed

    @property
    def fingerprint(self) -> str:
        """Of its error."""
        return self.failure.fingerprint if self.failure and self.status is Status.FAILED else ""

    @property
    def output(self) -> Any:
        """What its model answers."""
        digest = hashlib.sha256(_json(self.given)).hexdigest()
        if self.model == "mock":
            return {"input": self.given, "result": digest}
        if self.model == "digits":
            return {"digit": int(digest[0], 16) % 10, "confidence": (int(digest[:3], 16) % 40 + 60) / 100}
        score = int(digest[:3], 16) % 100 / 100
        return {"score": score, "verdict": "review" if score > 0.8 else "accept"}

    def summary(self, now_s: float) -> PredictionSummary:
        """A line of ``GET /predictions``."""
        return PredictionSummary(
            **self._shared(now_s),
            input_preview=_json({"input": self.given}).decode()[:PREVIEW_CHARS],
            output_preview=_json(self.output).decode()[:PREVIEW_CHARS] if self.status is Status.SUCCEEDED else "",
            caller=self.caller,
            fingerprint=self.fingerprint,
        )

    def whole(self, now_s: float, queue_position: int | None) -> Prediction:
        """``GET /predict/{id}``."""
        output = self.output if self.status is Status.SUCCEEDED else None
        return Prediction(
            **self._shared(now_s),
            output=output,
            queue_position=queue_position,
            input_bytes=len(_json(self.given)),
            output_bytes=len(_json(output)) if output is not None else 0,
            log=self._log(now_s),
            deadline_at=None if self.deadline_s is None else at(self.deadline_s),
            past_attempts=self.past,
            replay_of=self.replay_of or None,
        )

    def said(self, now_s: float) -> list[Told]:
        """``GET /predict/{id}/events``, all of it so far: each step when it begins, and a line when it is done."""
        if self.started_s is None or self.ends_s - self.started_s < LONG_S:
            return []
        until_s = now_s if self.finished_s is None else self.finished_s
        each_s = (self.ends_s - self.started_s) / len(STEPS)
        told: list[Told] = []
        for number, step in enumerate(STEPS):
            begins = at(self.started_s + number * each_s)
            ended = at(self.started_s + (number + 1) * each_s)
            told.append(Told(kind="progress", progress=number / len(STEPS), text=step, at=begins))
            told.append(Told(kind="log", text=f"{step}: done", at=ended))
        return [each for each in told if each.at is not None and each.at <= at(until_s)]

    def letter(self) -> DeadLetter:
        """What is kept of it once it is out of attempts."""
        summary = self.summary(self.finished_s or 0)
        assert summary.error is not None
        assert summary.finished_at is not None
        return DeadLetter(
            prediction_id=self.prediction_id,
            model=self.model,
            version=self.version,
            priority=self.priority,
            error=summary.error,
            traceback=self.failure.traceback if self.failure else "",
            fingerprint=summary.fingerprint,
            attempts=self.attempts,
            worker=self.worker,
            input_preview=summary.input_preview,
            created_at=summary.created_at,
            finished_at=summary.finished_at,
        )

    @property
    def error(self) -> PredictionFailure | None:
        """Why it did not succeed."""
        if self.status is Status.EXPIRED:
            return PredictionFailure(code="expired", message="It had not begun by its deadline.")
        if self.status is Status.CANCELED:
            return PredictionFailure(code="canceled", message="It was canceled.")
        return self.failure.error if self.failure and self.status is Status.FAILED else None

    def _shared(self, now_s: float) -> dict[str, Any]:
        """What a summary and the whole have in common."""
        started_s, finished_s = self.started_s, self.finished_s
        progress, message = self._progress(now_s)
        return {
            "prediction_id": self.prediction_id,
            "status": self.status,
            "model": self.model,
            "version": self.version,
            "mode": self.mode,
            "priority": self.priority,
            "error": self.error,
            "attempts": self.attempts,
            "progress": progress,
            "progress_message": message,
            "created_at": at(self.created_s),
            "due_at": None if self.due_s is None or self.status is not Status.QUEUED else at(self.due_s),
            "started_at": None if started_s is None else at(started_s),
            "finished_at": None if finished_s is None else at(finished_s),
            "wait_ms": None if started_s is None else max(round((started_s - self.created_s) * 1000, 1), 0.4),
            "run_ms": None if started_s is None or finished_s is None else round((finished_s - started_s) * 1000, 1),
            "worker": self.worker or None,
        }

    def _progress(self, now_s: float) -> tuple[float | None, str | None]:
        if self.status is Status.SUCCEEDED:
            return 1.0, None
        if self.status is not Status.RUNNING or self.started_s is None or self.ends_s - self.started_s < LONG_S:
            return None, None
        done = min((now_s - self.started_s) / (self.ends_s - self.started_s), 0.99)
        return round(done, 2), STEPS[int(done * len(STEPS))]

    def _log(self, now_s: float) -> list[str]:
        if self.started_s is None or self.ends_s - self.started_s < LONG_S:
            return []
        until_s = now_s if self.finished_s is None else self.finished_s
        done = min((until_s - self.started_s) / (self.ends_s - self.started_s), 0.99)
        return [f"{step}: done" for step in STEPS[: int(done * len(STEPS))]]
