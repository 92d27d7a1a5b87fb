"""``PredictionWorker``: arq's worker, woken instead of polling, with leases instead of long in-progress keys.

Takes ``arq.Worker``'s arguments and runs any arq function: its hooks, ``Retry``, timeouts, cron jobs and burst hold.

Of arq 0.28 it overrides ``__init__`` (MessagePack unless told otherwise), ``main`` (the loop of claims in place of
``_poll_iteration``, ``start_jobs``, ``run_job`` and ``finish_job``, which it never calls), ``close``, ``handle_sig``
and ``handle_sig_wait_for_completion`` (a claim under way is never canceled, or what it took would wait out a lease).
It reads ``functions``, ``tasks``, ``ctx``, ``max_jobs``, ``pool``, ``allow_pick_jobs``, ``burst`` and the counters, and
calls ``heart_beat`` for the health key and cron jobs. ``tests/queue/test_arq_internals.py`` fails when arq changes one.
"""

import asyncio
import logging
import os
import platform
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from signal import Signals
from typing import Any

import msgspec
from arq.connections import create_pool
from arq.cron import CronJob
from arq.jobs import DeserializationError, deserialize_job_raw
from arq.utils import ms_to_datetime, to_seconds
from arq.worker import Function, JobExecutionFailed, Retry, RetryJob, Worker
from redis.exceptions import RedisError

from zypher_jobs.contracts.prediction import Status
from zypher_jobs.errors import (
    AttemptsExhausted,
    DeadlinePassed,
    PoisonedPrediction,
    PredictionFailed,
    PredictionTimeout,
    RedisUnavailable,
)
from zypher_jobs.queue import keys
from zypher_jobs.queue.backoff import Backoff
from zypher_jobs.queue.connection import connection_options, redis_errors
from zypher_jobs.queue.payloads import deserialize, serialize
from zypher_jobs.queue.scripts import Claim, Claimed, Ended, Finish, Scripts
from zypher_jobs.worker.attempt import KEEP_FOR_EVER, Attempt, JobCall
from zypher_jobs.worker.attempt_log import AttemptLog
from zypher_jobs.worker.lease import LeaseKeeper
from zypher_jobs.worker.reaper import Reaper
from zypher_jobs.worker.reporter import Reporter

log = logging.getLogger("zypher.worker")

SLOW_POLL_S = 1.0
"""The safety net under the wake-up: how often an idle worker looks by itself."""
BEGIN_AT_ONCE = 32
CLAIM_AT_ONCE = 500
"""Predictions in one claim at most: Redis serves nobody else meanwhile."""
EXPIRED_AT_ONCE = 100
POISON_AFTER = 2
"""Attempts that may be lost with their worker before a prediction counts as what kills it."""
CRON_RESULT_TTL_MS = 60_000
"""Every worker enqueues each cron job; its result is what keeps the second of them out."""


class PredictionWorker(Worker):
    """One process's worker on one queue."""

    jobs_complete: int
    jobs_failed: int
    jobs_retried: int

    def __init__(
        self,
        functions: Sequence[Any] = (),
        *,
        lease_s: float = 5.0,
        worker_id: str | None = None,
        models: Sequence[str] = (),
        retention_s: int = 86_400,
        **arq_options: Any,
    ) -> None:
        """``lease_s``: how long a silent worker's predictions stay its own; ``retention_s``: how long records stay.

        ``models`` are shown in heartbeats. ``arq_options`` are ``arq.Worker``'s.
        """
        ours: dict[str, Any] = {
            "job_serializer": serialize,
            "job_deserializer": deserialize,
            "keep_result": retention_s,
        }
        super().__init__(functions, **(ours | arq_options))
        self._ctx: dict[Any, Any] = self.ctx  # arq's own annotation is lost on the way
        self.worker_id = worker_id or f"{platform.node()}-{os.getpid()}-{os.urandom(2).hex()}"
        self.refused_finishes = 0
        self._lease_ms = int(lease_s * 1000)
        self._retention_ms = retention_s * 1000
        self._longest_run_s = self.in_progress_timeout_s  # arq's: the longest time-out of its functions and 10 s
        self._models = list(models)
        # by default all priorities; a queue of another name is one of its own
        self._queues = list(keys.QUEUES.values()) if self.queue_name == keys.ARQ_QUEUE else [self.queue_name]
        self._waiting: asyncio.Future[Any] | None = None
        self._place_freed = asyncio.Event()
        self._hooks: set[asyncio.Future[None]] = set()
        self._log = AttemptLog()

    async def main(self) -> None:
        """Claim and run until told to stop; then until what runs has ended."""
        if self._pool is None:
            self._pool = await create_pool(
                self.redis_settings,
                job_serializer=self.job_serializer,
                job_deserializer=self.job_deserializer,
                default_queue_name=self.queue_name,
                expires_extra_ms=self.expires_extra_ms,
            )
        self._scripts = Scripts(self.pool)
        self._ctx |= {"redis": self.pool, "worker_id": self.worker_id, "leased": True}
        if self.on_startup:
            await self.on_startup(self._ctx)
        loop = asyncio.get_running_loop()
        self._reporter = Reporter(self._scripts, retention_ms=self._retention_ms)
        self._reporting = asyncio.create_task(self._reporter.run())
        self._reaping = asyncio.create_task(Reaper(self._expire).run())
        self._keeper = LeaseKeeper(
            self.pool,
            worker_id=self.worker_id,
            lease_ms=self._lease_ms,
            slots=self.max_jobs,
            spare=2 * self.max_jobs + EXPIRED_AT_ONCE,
            models=self._models,
            abort=partial(loop.call_soon_threadsafe, self._abort),
        )
        starting = asyncio.create_task(asyncio.to_thread(self._keeper.start))
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            await starting  # told to stop already: what is half started cannot be stopped
            raise
        log.info("worker ready", extra={"worker_id": self.worker_id, "slots": self.max_jobs})
        await self._claim_until_stopped()
        self._reaping.cancel()
        await self._settled()

    async def close(self) -> None:
        """Hand back what still runs, report everything, say goodbye."""
        if not self._handle_signals:
            self.handle_sig(Signals.SIGUSR1)
        if self._pool is None:
            return
        if self.main_task is not None and self.main_task is not asyncio.current_task():
            await asyncio.wait([self.main_task])  # it has been told to stop; what it waits on must be back in the pool
        if hasattr(self, "_keeper"):
            await self._settled()
            self._reporting.cancel()
            self._reaping.cancel()
            await asyncio.to_thread(self._keeper.stop)
            with suppress(RedisError, OSError):
                await self.pool.delete(self.health_check_key)
            if self.on_shutdown:
                await self._call_hook(self.on_shutdown, self._ctx)
        await self.pool.aclose(close_connection_pool=True)
        self._pool = None

    async def _settled(self) -> None:
        """Until all that runs has ended and been reported."""
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        await self._reporter.drained()
        await asyncio.gather(*self._hooks, return_exceptions=True)
        self._log.flush()

    def handle_sig(self, signum: Signals) -> None:
        """Stop claiming and hand back at once what runs."""
        self._stop_claiming()
        for task in self.tasks.values():
            task.cancel()
        if self.on_stop:
            self.on_stop(signum)

    def handle_sig_wait_for_completion(self, signum: Signals) -> None:
        """Stop claiming; what still runs after ``job_completion_wait`` seconds is handed back."""
        super().handle_sig_wait_for_completion(signum)
        self._stop_claiming()

    def _abort(self, prediction_id: str) -> None:
        """Cancel what runs; its thread, if it has one, goes on, but its end is written now."""
        if prediction_id in self.tasks and prediction_id not in self.aborting_tasks:
            self.aborting_tasks.add(prediction_id)
            self.tasks[prediction_id].cancel()

    async def _expire(self) -> None:
        if len(self.tasks) > self.max_jobs or self._reporter.backlog:
            return  # those of the last time have not been reported yet
        expired = await self._scripts.expire(worker_id=self.worker_id, room=EXPIRED_AT_ONCE, lease_ms=self._lease_ms)
        for claim in expired.claims:
            self._begin(msgspec.structs.replace(claim, expired=True), expired.now_ms)

    def _stop_claiming(self) -> None:
        self.allow_pick_jobs = False
        if hasattr(self, "_keeper"):
            self._keeper.set_counts(self.jobs_complete, self.jobs_failed, draining=True)
        if self._waiting is not None:
            self._waiting.cancel()

    # claim

    async def _claim_until_stopped(self) -> None:
        backoff = Backoff()
        while self.allow_pick_jobs:
            room = self._room()
            if room <= 0:
                self._place_freed.clear()
                await self._wait(self._place_freed.wait())
                continue
            # after an outage what ended is reported before anything new is taken, or it would be taken twice
            if not self._reporter.caught_up.is_set():
                await self._wait(self._reporter.caught_up.wait())
                continue
            try:
                with redis_errors():
                    await self.heart_beat()  # first: what it raises must not lose a claim
                    claimed = await self._claim(room)
            except RedisUnavailable as error:
                log.warning("cannot claim", extra={"error": error.message})
                await self._wait(backoff.sleep())
                continue
            backoff.reset()
            await self._begin_all(claimed)
            if self.burst and not claimed.claims and await self._is_drained():
                return
            if len(claimed.claims) < room:
                await self._wait(self._wake_up(claimed.next_due_ms))

    def _room(self) -> int:
        # at most half of the places at once: while this half runs, Redis takes in the ends of the other
        room = min(CLAIM_AT_ONCE, (self.max_jobs + 1) // 2, self.max_jobs - len(self.tasks))
        if self._reporter.backlog > self.max_jobs:
            return 0
        if self.burst and self.max_burst_jobs >= 0:
            room = min(room, max(0, self.max_burst_jobs - self._jobs_started()))
        return room

    async def _claim(self, room: int) -> Claimed:
        return await self._scripts.claim(
            queues=self._queues, worker_id=self.worker_id, room=room, lease_ms=self._lease_ms
        )

    async def _wake_up(self, next_due_ms: int | None) -> None:
        """Until something is submitted, handed back or due, at most one slow poll."""
        timeout_s = SLOW_POLL_S
        if (answer_timeout_s := connection_options(self.pool).get("socket_timeout")) is not None:
            timeout_s = min(timeout_s, answer_timeout_s / 2)
        if next_due_ms is not None:
            timeout_s = min(timeout_s, max(0.001, next_due_ms / 1000))
        if self.burst:
            timeout_s = min(timeout_s, 0.01)
        with suppress(RedisError, OSError):  # the claim that follows meets the same trouble and says so
            await self._scripts.wake_up(timeout_s)

    async def _wait(self, what: Awaitable[Any]) -> None:
        """Await something that a stop may interrupt."""
        self._waiting = asyncio.ensure_future(what)
        try:
            await asyncio.wait([self._waiting])
        finally:
            waiting, self._waiting = self._waiting, None
            waiting.cancel()
            await asyncio.wait([waiting])  # its connection goes back to the pool first

    async def _is_drained(self) -> bool:
        await self._settled()
        if 0 <= self.max_burst_jobs <= self._jobs_started():
            return True
        return await self.pool.zcard(self.queue_name) == 0

    # run

    async def _begin_all(self, claimed: Claimed) -> None:
        """Some at a time: while these run, Redis takes in the ends of those before."""
        for start in range(0, len(claimed.claims), BEGIN_AT_ONCE):
            for claim in claimed.claims[start : start + BEGIN_AT_ONCE]:
                self._begin(claim, claimed.now_ms)
            await asyncio.sleep(0)

    def _begin(self, claim: Claim, now_ms: int) -> None:
        self._keeper.hold(claim, longest_s=self._longest_run_s)
        attempt = Attempt(claim, now_ms=now_ms)
        attempt.task = self.tasks[claim.prediction_id] = asyncio.create_task(self._run(attempt))

    async def _run(self, attempt: Attempt) -> None:
        """One attempt, to its end; never raises. The task ends when the end is with the reporter; see ``_reported``."""
        claim = attempt.claim
        ctx: dict[Any, Any] = dict(self._ctx)
        try:
            finish = await self._finish_of(attempt, ctx)
        except asyncio.CancelledError as error:
            if claim.prediction_id in self.aborting_tasks:
                self.aborting_tasks.discard(claim.prediction_id)
                finish = attempt.failed(error, Status.CANCELED)
            else:
                # drained: not the prediction's fault, so the attempt does not count
                finish = attempt.handed_back()
        if self.tasks.get(claim.prediction_id) is attempt.task:
            del self.tasks[claim.prediction_id]
        self._place_freed.set()
        self._reporter.report(finish, partial(self._reported, attempt, finish, ctx))

    def _reported(self, attempt: Attempt, finish: Finish, ctx: dict[Any, Any], accepted: bool) -> None:
        """Its end is in Redis: only now its lease is let go."""
        self._keeper.release(attempt.claim)
        self._place_freed.set()
        self._count(finish.ended, accepted=accepted)
        self._log.add(attempt, finish.ended, accepted=accepted)
        if self.after_job_end:
            hook = asyncio.ensure_future(self._call_hook(self.after_job_end, ctx))
            self._hooks.add(hook)
            hook.add_done_callback(self._hooks.discard)

    async def _finish_of(self, attempt: Attempt, ctx: dict[Any, Any]) -> Finish:
        attempt.result_ttl_ms = self._result_ttl_ms(None)
        try:
            function = self._function_of(attempt)
        except (PredictionFailed, JobExecutionFailed, DeserializationError) as error:
            return attempt.failed(error, Status.EXPIRED if isinstance(error, DeadlinePassed) else Status.FAILED)
        claim, call = attempt.claim, attempt.call
        ctx |= {"job_id": claim.prediction_id, "job_try": attempt.number, "score": claim.score}
        ctx |= {"enqueue_time": ms_to_datetime(call.enqueued_at_ms)}
        if self.on_job_start:
            await self._call_hook(self.on_job_start, ctx)
        finish = await self._call(attempt, function, ctx)
        if self.on_job_end:
            await self._call_hook(self.on_job_end, ctx)
        return finish

    def _function_of(self, attempt: Attempt) -> "Function | CronJob":
        """What to run; raises the reason why this attempt is not to be run."""
        claim = attempt.claim
        if claim.job is None:
            raise DeadlinePassed("It waited longer than Redis keeps a queued prediction.")
        call = attempt.call = JobCall(*deserialize_job_raw(claim.job, deserializer=self.job_deserializer))
        attempt.number = max(claim.attempt, call.job_try or 0)
        if claim.aborted_at_ms > call.enqueued_at_ms:
            self.aborting_tasks.add(claim.prediction_id)
            raise asyncio.CancelledError
        if claim.expired:
            raise DeadlinePassed("It waited past its deadline and was not begun.")
        if claim.lost >= POISON_AFTER:
            raise PoisonedPrediction(f"Its worker died under it {claim.lost} times; it is not tried again.")
        function = self.functions.get(call.function)
        if function is None:
            raise JobExecutionFailed(f"function {call.function!r} not found")
        attempt.result_ttl_ms = self._result_ttl_ms(function)
        max_tries = self.max_tries if function.max_tries is None else function.max_tries
        if attempt.number > max_tries:
            raise AttemptsExhausted(f"Given up after {max_tries} attempts; each ended without a verdict.")
        return function

    async def _call(self, attempt: Attempt, function: "Function | CronJob", ctx: dict[Any, Any]) -> Finish:
        timeout_s = to_seconds(self.job_timeout_s if function.timeout_s is None else function.timeout_s)
        # asyncio.timeout costs five times as much, for a context that nobody enters twice here
        timer = asyncio.get_running_loop().call_later(timeout_s, attempt.time_out)
        try:
            output = await function.coroutine(ctx, *attempt.call.args, **attempt.call.kwargs)
        except (Retry, RetryJob) as error:
            if self.retry_jobs:
                return attempt.handed_back(defer_ms=getattr(error, "defer_score", None) or 0, counts=True)
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
        forever = self.keep_result_forever if function is None else function.keep_result_forever
        if self.keep_result_forever if forever is None else forever:
            return KEEP_FOR_EVER
        kept_s = None if function is None else function.keep_result_s
        ttl_ms = int((self.keep_result_s if kept_s is None else kept_s) * 1000)
        return max(ttl_ms, CRON_RESULT_TTL_MS) if isinstance(function, CronJob) else ttl_ms

    async def _call_hook(self, hook: Callable[[dict[Any, Any]], Awaitable[Any]], ctx: dict[Any, Any]) -> None:
        """A hook that raises is logged; it ends neither the attempt nor the worker."""
        try:
            await hook(ctx)
        except Exception:
            log.exception("hook failed", extra={"hook": getattr(hook, "__name__", str(hook))})

    def _count(self, ended: Ended, *, accepted: bool) -> None:
        if not accepted:
            self.refused_finishes += 1
        elif ended.status == Status.SUCCEEDED:
            self.jobs_complete += 1
        elif ended.status == Status.QUEUED:
            self.jobs_retried += 1
        else:
            self.jobs_failed += 1
        self._keeper.set_counts(self.jobs_complete, self.jobs_failed, draining=not self.allow_pick_jobs)
