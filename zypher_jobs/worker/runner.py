"""Runs one attempt as arq would: its function, tries, time-out, ``Retry`` and hooks."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from arq.cron import CronJob
from arq.jobs import DeserializationError, deserialize_job_raw
from arq.utils import ms_to_datetime, to_seconds
from arq.worker import Function, JobExecutionFailed, Retry, RetryJob, Worker

from zypher_jobs.contracts.prediction import Status
from zypher_jobs.errors import (
    AttemptsExhausted,
    DeadlinePassed,
    PoisonedPrediction,
    PredictionFailed,
    PredictionTimeout,
)
from zypher_jobs.queue import keys
from zypher_jobs.queue.rows import Finish
from zypher_jobs.worker.attempt import KEEP_FOR_EVER, Attempt, JobCall
from zypher_jobs.worker.narrator import Narration, Narrator
from zypher_jobs.worker.predict import attempts_of

log = logging.getLogger("zypher.worker")

CRON_RESULT_TTL_MS = 60_000
"""Every worker enqueues each cron job; its result is what keeps the second of them out."""


class AttemptRunner:
    """Runs attempts with the functions, settings and hooks of one worker."""

    def __init__(self, worker: Worker, narrator: Narrator) -> None:
        self._worker = worker
        self._narrator = narrator
        self._default_ttl_ms = self._result_ttl_ms(None)

    async def run(self, attempt: Attempt, ctx: dict[Any, Any]) -> Finish:
        """One attempt, to its end and that of its story; never raises. ``ctx`` is its own copy of the worker's."""
        claim = attempt.claim
        try:
            finish = await self._finish_of(attempt, ctx)
        except asyncio.CancelledError as error:
            if claim.prediction_id in self._worker.aborting_tasks:
                self._worker.aborting_tasks.discard(claim.prediction_id)
                finish = attempt.failed(error, Status.CANCELED)
            else:
                # drained: not the prediction's fault, so the attempt does not count
                finish = attempt.handed_back()
        narration: Narration | None = ctx.get("narration")
        if narration is not None:
            narration.close()
            if narration.has_more:
                with suppress(asyncio.CancelledError):  # it is over anyway
                    await self._narrator.ended(narration)
        return finish

    async def _finish_of(self, attempt: Attempt, ctx: dict[Any, Any]) -> Finish:
        attempt.result_ttl_ms = self._default_ttl_ms
        try:
            function = self._function_of(attempt, ctx)
        except (PredictionFailed, JobExecutionFailed, DeserializationError) as error:
            return attempt.failed(error, Status.EXPIRED if isinstance(error, DeadlinePassed) else Status.FAILED)
        claim, call = attempt.claim, attempt.call
        ctx["job_id"], ctx["job_try"], ctx["score"] = claim.prediction_id, attempt.number, claim.score
        ctx["enqueue_time"], ctx["began_at_ms"] = ms_to_datetime(call.enqueued_at_ms), attempt.claimed_at_ms
        attempt.ctx = ctx
        if self._worker.on_job_start:
            await call_hook(self._worker.on_job_start, ctx)
        finish = await self._call(attempt, function, ctx)
        if self._worker.on_job_end:
            await call_hook(self._worker.on_job_end, ctx)
        return finish

    def _function_of(self, attempt: Attempt, ctx: dict[Any, Any]) -> "Function | CronJob":
        """What to run; raises the reason why this attempt is not to be run."""
        claim = attempt.claim
        if claim.job is None:
            raise DeadlinePassed("It waited longer than Redis keeps a queued prediction.")
        call = attempt.call = JobCall(*deserialize_job_raw(claim.job, deserializer=self._worker.job_deserializer))
        attempt.number = max(claim.attempt, call.job_try or 0)
        if claim.aborted_at_ms > call.enqueued_at_ms:
            self._worker.aborting_tasks.add(claim.prediction_id)
            raise asyncio.CancelledError
        if claim.expired:
            raise DeadlinePassed("It waited past its deadline and was not begun.")
        if claim.lost >= keys.SUSPECT_AFTER + claim.is_suspect:
            raise PoisonedPrediction(f"Its worker died under it {claim.lost} times; it is not tried again.")
        function = self._worker.functions.get(call.function)
        if function is None:
            raise JobExecutionFailed(f"function {call.function!r} not found")
        attempt.result_ttl_ms = self._result_ttl_ms(function)
        max_tries = self._worker.max_tries if function.max_tries is None else function.max_tries
        if attempt.number > max_tries and attempt.number > attempts_of(ctx, call.function, call.args):
            raise AttemptsExhausted(f"Given up after {max_tries} attempts; each ended without a verdict.")
        return function

    async def _call(self, attempt: Attempt, function: "Function | CronJob", ctx: dict[Any, Any]) -> Finish:
        timeout_s = to_seconds(self._worker.job_timeout_s if function.timeout_s is None else function.timeout_s)
        # asyncio.timeout costs five times as much, for a context that nobody enters twice here
        timer = asyncio.get_running_loop().call_later(timeout_s, attempt.time_out)
        try:
            output = await function.coroutine(ctx, *attempt.call.args, **attempt.call.kwargs)
        except (Retry, RetryJob) as error:
            if self._worker.retry_jobs:
                defer_ms = getattr(error, "defer_score", None) or 0
                return attempt.handed_back(defer_ms=defer_ms, counts=True, why=error.__cause__ or error)
            return attempt.failed(error)
        except asyncio.CancelledError:
            if attempt.timed_out:
                return attempt.failed(PredictionTimeout(f"It ran longer than {timeout_s:g} s."))
            raise
        except Exception as error:  # noqa: BLE001  # whatever a model raises is its prediction's failure, never the worker's
            return attempt.failed(error)
        finally:
            timer.cancel()
        return attempt.succeeded(output)

    def _result_ttl_ms(self, function: "Function | CronJob | None") -> int:
        forever = self._worker.keep_result_forever if function is None else function.keep_result_forever
        if self._worker.keep_result_forever if forever is None else forever:
            return KEEP_FOR_EVER
        kept_s = None if function is None else function.keep_result_s
        ttl_ms = int((self._worker.keep_result_s if kept_s is None else kept_s) * 1000)
        return max(ttl_ms, CRON_RESULT_TTL_MS) if isinstance(function, CronJob) else ttl_ms


async def call_hook(hook: Callable[[dict[Any, Any]], Awaitable[Any]], ctx: dict[Any, Any]) -> None:
    """A hook that raises is logged; it ends neither the attempt nor the worker."""
    try:
        await hook(ctx)
    except Exception:
        log.exception("hook failed", extra={"hook": getattr(hook, "__name__", str(hook))})
