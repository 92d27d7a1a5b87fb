"""``Bulk``: many predictions at once, each with an answer of its own; in steps that hold Redis for few ms."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import msgspec

from zypher_jobs.contracts.prediction import Mode, Prediction, Priority, Status
from zypher_jobs.contracts.trace import TraceContext
from zypher_jobs.errors import Conflict, InvalidInput, QueueFull, UnknownPrediction, ZypherError
from zypher_jobs.queue import keys
from zypher_jobs.queue.connection import RedisClient, redis_errors
from zypher_jobs.queue.ids import new_prediction_id
from zypher_jobs.queue.payloads import PREDICT, deserialize, serialize
from zypher_jobs.queue.records import PRIORITIES
from zypher_jobs.queue.rows import Canceled, New, Retried, Submission, Submitted
from zypher_jobs.queue.scripts import Scripts
from zypher_jobs.queue.submitter import Submitter

WITH_INPUTS = 20
"""Predictions whose whole inputs are in memory at once."""
WITHOUT_INPUTS = 200
_FIELDS: tuple[str, ...] = ("status", "mode", "queue", "input_preview", "input_bytes", "caller", "webhook")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One of many to be queued; see ``PredictionQueue.submit``."""

    prediction_id: str = msgspec.field(default_factory=new_prediction_id)
    model: str
    value: Any
    version: str = ""
    input_preview: str = ""
    input_bytes: int = 0
    priority: Priority = Priority.NORMAL
    caller: str = ""
    expires_in_s: float | None = None
    timeout_s: float | None = None
    replay_of: str = ""
    webhook: str = ""
    trace: TraceContext | None = None
    once: bool = False


class Bulk:
    """Over one ``PredictionQueue``. Every call raises ``RedisUnavailable``, and then some of it may have been done."""

    def __init__(
        self,
        redis: RedisClient,
        scripts: Scripts,
        submitter: Submitter,
        *,
        retention_ms: int,
        submission_of: Callable[..., Submission],
        answer_of: Callable[[New, Submitted], Awaitable[Prediction]],
    ) -> None:
        """``submission_of`` takes the fields of ``Asked``; ``answer_of`` says what became of one."""
        self._redis = redis
        self._scripts = scripts
        self._submitter = submitter
        self._retention_ms = retention_ms
        self._submission_of = submission_of
        self._answer_of = answer_of

    async def submit(self, many: Sequence[Asked]) -> list[Prediction | ZypherError]:
        """Queue them in order; for each the prediction, or the error that it met: input, room, conflict."""
        answers: list[Prediction | ZypherError | None] = [None] * len(many)
        submissions = list[tuple[int, Submission]]()
        for at, asked in enumerate(many):
            try:
                submissions.append((at, self._submission_of(**msgspec.structs.asdict(asked))))
            except InvalidInput as error:
                answers[at] = error
        submitted = await self._submitter.submit_many(
            len(submissions), lambda start, end: [each for _, each in submissions[start:end]]
        )
        for (at, _), (submission, what) in zip(submissions, submitted, strict=True):
            try:
                answers[at] = await self._answer_of(submission.new, what)
            except (QueueFull, Conflict) as error:
                answers[at] = error
        return [answer for answer in answers if answer is not None]

    async def cancel(self, ids: Sequence[str]) -> list[Canceled | UnknownPrediction]:
        """Cancel what waits, have what runs stopped; what each is now, an ended one as it had ended."""
        answers = list[Canceled | UnknownPrediction]()
        for some in _steps(ids, WITH_INPUTS):
            with redis_errors():
                jobs: list[bytes | None] = await self._redis.mget([keys.job(each) for each in some])
                now = await asyncio.gather(
                    *(
                        self._scripts.cancel(each, result=canceled(each, job), retention_ms=self._retention_ms)
                        for each, job in zip(some, jobs, strict=True)
                    )
                )
            answers += [UnknownPrediction(each) if one is None else one for each, one in zip(some, now, strict=True)]
        return answers

    async def retry(self, ids: Sequence[str], *, is_look: bool = False) -> list[UnknownPrediction | Conflict | None]:
        """Have those that wait for a later time be due at once, in the order of those times; ``None`` for each that is.

        With ``is_look`` nothing changes: ``None`` for each that would be.
        """
        answers = list[UnknownPrediction | Conflict | None]()
        for some in _steps(ids, WITHOUT_INPUTS):
            with redis_errors():
                states = await self._scripts.retry(some, is_look=is_look)
            answers += [_not_retried(each, state) for each, state in zip(some, states, strict=True)]
        return answers

    async def replay(
        self, ids: Sequence[str], *, new_ids: Sequence[str] = (), once: bool = False
    ) -> list[Prediction | ZypherError]:
        """New predictions with the inputs of those; a dead letter among them is one no longer.

        They are for whichever version is live when they run, of the same callers, and their own webhooks are told of
        them, too. For one that cannot be, or with ``once`` was replayed before, by whomever:
        ``UnknownPrediction``, ``Conflict`` with the reason, or ``QueueFull``.
        """
        answers = list[Prediction | ZypherError]()
        fresh = iter(new_ids or [new_prediction_id() for _ in ids])
        for some in _steps(ids, WITH_INPUTS):
            found = await self._asked_again(some, [next(fresh) for _ in some], once=once)
            queued = iter(await self.submit([each for each in found if isinstance(each, Asked)]))
            answers += [next(queued) if isinstance(each, Asked) else each for each in found]
        return answers

    async def drop(self, ids: Sequence[str]) -> list[UnknownPrediction | Conflict | None]:
        """Forget those that have ended, dead letters or not; ``None`` for each that is forgotten."""
        answers = list[UnknownPrediction | Conflict | None]()
        for some in _steps(ids, WITHOUT_INPUTS):
            with redis_errors():
                states = await self._scripts.drop(some)
            for each, state in zip(some, states, strict=True):
                unended = Conflict(f"Prediction {each!r} has not ended; cancel it first.")
                answers.append(None if state > 0 else unended if state < 0 else UnknownPrediction(each))
        return answers

    async def _asked_again(
        self, ids: Sequence[str], new_ids: Sequence[str], *, once: bool
    ) -> list[Asked | ZypherError]:
        with redis_errors():
            async with self._redis.pipeline(transaction=False) as pipe:
                for each in ids:
                    pipe.get(keys.result(each))
                    pipe.hmget(keys.record(each), *_FIELDS)
                rows: list[Any] = await pipe.execute()
        found = list[Asked | ZypherError]()
        for each, new_id, result, fields in zip(ids, new_ids, rows[::2], rows[1::2], strict=True):
            known = dict(zip(_FIELDS, [(value or b"").decode(errors="replace") for value in fields], strict=True))
            found.append(_again(each, new_id, result, known, once=once))
        return found


def _not_retried(prediction_id: str, state: Retried | None) -> UnknownPrediction | Conflict | None:
    match state:
        case Retried.NOW:
            return None
        case None:
            return UnknownPrediction(prediction_id)
        case Retried.DUE:
            return Conflict(f"Prediction {prediction_id!r} is due already; it waits for its turn, not for a time.")
        case Retried.RUNNING:
            return Conflict(f"Prediction {prediction_id!r} is running already.")
        case Retried.ENDED:
            return Conflict(f"Prediction {prediction_id!r} has ended; replay it to ask for it again.")


def _again(
    prediction_id: str, new_id: str, result: bytes | None, known: dict[str, str], *, once: bool
) -> Asked | ZypherError:
    if not known["status"]:
        return UnknownPrediction(prediction_id)
    if result is None and not Status(known["status"]).is_terminal:
        return Conflict(f"Prediction {prediction_id!r} has not ended; wait for its end, or cancel it first.")
    if result is None and known["mode"] == Mode.SYNC:
        return Conflict(f"Prediction {prediction_id!r} was answered at once: its input is not kept; send it again.")
    asked: dict[str, Any] = {"f": ""} if result is None else deserialize(result)
    if asked["f"] != PREDICT or len(asked["a"]) != 2:
        return Conflict(f"The input of prediction {prediction_id!r} is kept no more; send it again.")
    model, value = asked["a"]
    return Asked(
        prediction_id=new_id,
        model=model,
        value=value,
        input_preview=known["input_preview"],
        input_bytes=int(known["input_bytes"] or 0),
        priority=PRIORITIES.get(known["queue"], Priority.NORMAL),
        caller=known["caller"],
        timeout_s=asked["k"].get("timeout_s"),
        replay_of=prediction_id,
        webhook=known["webhook"],
        once=once,
    )


def canceled(prediction_id: str, job: bytes | None) -> bytes:
    """arq's result of a prediction that was canceled before it ran; its input stays known, for a replay."""
    asked: dict[str, Any] = {"t": None, "f": PREDICT, "a": (), "k": {}, "et": 0} if job is None else deserialize(job)
    now_ms = int(time.time() * 1000)
    ended = {"s": False, "r": asyncio.CancelledError(), "st": now_ms, "ft": now_ms, "q": keys.ARQ_QUEUE}
    return serialize({**asked, "t": 0, **ended, "id": prediction_id})


def _steps(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (ids[at : at + size] for at in range(0, len(ids), size))
