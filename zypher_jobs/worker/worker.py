"""``PredictionWorker``: arq's worker, woken instead of polling, with leases instead of long in-progress keys.

Takes ``arq.Worker``'s arguments and runs any arq function: its hooks, ``Retry``, timeouts, cron jobs and burst hold.

Of arq 0.28 it overrides ``__init__`` (MessagePack unless told otherwise), ``main`` (``Intake``, ``AttemptRunner``
and ``Reporter`` in place of ``_poll_iteration``, ``start_jobs``, ``run_job`` and ``finish_job``, which it never calls),
``close``, ``handle_sig`` and ``handle_sig_wait_for_completion`` (a claim under way is never canceled, or what it took
would wait out a lease). It reads ``tasks``, ``ctx``, ``max_jobs``, ``pool``, ``allow_pick_jobs``, ``burst`` and
the counters, and calls ``heart_beat`` for the health key and cron jobs; ``AttemptRunner`` reads ``functions`` and what
is set of tries, time-outs, results and hooks.
``tests/queue/test_arq_internals.py`` fails when arq changes one.
"""

import asyncio
import logging
import os
import platform
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from signal import Signals
from typing import Any

import msgspec
from arq.connections import create_pool
from arq.worker import Worker
from redis.exceptions import RedisError

from zypher_jobs.contracts.prediction import Status
from zypher_jobs.errors import RedisUnavailable
from zypher_jobs.queue import keys
from zypher_jobs.queue.connection import redis_errors
from zypher_jobs.queue.payloads import deserialize, serialize
from zypher_jobs.queue.rows import Claim, Claimed, Ended, Finish
from zypher_jobs.queue.scripts import Scripts
from zypher_jobs.queue.stories import Stories
from zypher_jobs.queue.wire import Wire
from zypher_jobs.worker.attempt import Attempt
from zypher_jobs.worker.attempt_log import AttemptLog
from zypher_jobs.worker.delays import Delays
from zypher_jobs.worker.intake import SLOW_POLL_S, Intake
from zypher_jobs.worker.lease import LeaseKeeper
from zypher_jobs.worker.narrator import Narrator
from zypher_jobs.worker.reaper import Reaper
from zypher_jobs.worker.reporter import Reporter
from zypher_jobs.worker.runner import AttemptRunner, call_hook
from zypher_jobs.worker.spans import end_attempt

log = logging.getLogger("zypher.worker")

BEAT_S = 0.5
"""How often it is seen whether arq's health key or a cron job is due: half of the time that arq looks ahead."""
EXPIRED_AT_ONCE = 100


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
        self.worker_id = worker_id or new_worker_id()
        self.refused_finishes = 0
        self._lease_ms = int(lease_s * 1000)
        self._retention_ms = retention_s * 1000
        self._longest_run_s = self.in_progress_timeout_s  # arq's: the longest time-out of its functions and 10 s
        self._models = list(models)
        # by default all priorities; a queue of another name is one of its own
        self._queues = list(keys.QUEUES.values()) if self.queue_name == keys.ARQ_QUEUE else [self.queue_name]
        self._ready: deque[tuple[Claim, int]] = deque()
        self._suspects: set[str] = set()
        self._delays = Delays()
        self._hooks: set[asyncio.Future[None]] = set()
        self._log = AttemptLog()

    async def main(self) -> None:
        """Take and run until told to stop; then until what runs has ended."""
        if self._pool is None:
            self._pool = await create_pool(
                self.redis_settings,
                job_serializer=self.job_serializer,
                job_deserializer=self.job_deserializer,
                default_queue_name=self.queue_name,
                expires_extra_ms=self.expires_extra_ms,
            )
        pool: Any = self.pool.connection_pool
        self._wire = Wire(pool)
        self._scripts = Scripts(self._wire)
        narrator = Narrator(Stories(self._wire), lifetime_ms=self._retention_ms)
        self._ctx |= {"redis": self.pool, "worker_id": self.worker_id, "leased": True, "narrator": narrator}
        self._runner = AttemptRunner(self, narrator)
        if self.on_startup:
            await self.on_startup(self._ctx)
        self._reporter = Reporter(self._scripts, retention_ms=self._retention_ms)
        is_default = self.queue_name == keys.ARQ_QUEUE
        self._intake = self._reporter.offers = Intake(
            pool,
            self._scripts,
            self._reporter,
            worker_id=self.worker_id,
            queues=self._queues,
            lease_ms=self._lease_ms,
            at_once=self.max_jobs,
            # what is submitted to a queue of another name, arq's own client submits, and hands it to nobody
            stands_idle=is_default and not self.burst,
            slow_poll_s=SLOW_POLL_S if is_default else min(SLOW_POLL_S, self.poll_delay_s),
            begin=self._take,
            places=self._places,
            runs_suspect=lambda: bool(self._suspects),
        )
        self._keeper = LeaseKeeper(
            self.pool,
            worker_id=self.worker_id,
            lease_ms=self._lease_ms,
            slots=self.max_jobs,
            spare=3 * self.max_jobs + EXPIRED_AT_ONCE,
            models=self._models,
            abort=partial(asyncio.get_running_loop().call_soon_threadsafe, self._abort),
        )
        background = (self._reporter.run(), narrator.run(), Reaper(self._expire).run())
        self._background = [asyncio.create_task(each) for each in background]
        starting = asyncio.create_task(asyncio.to_thread(self._keeper.start))
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            await starting  # told to stop already: what is half started cannot be stopped
            raise
        if not self.allow_pick_jobs:
            self._intake.stop()
        log.info("worker ready", extra={"worker_id": self.worker_id, "slots": self.max_jobs})
        await self._beat()
        if self.burst:
            await self._burst()
        else:
            self._background.append(asyncio.create_task(self._beat_steadily()))
            await self._intake.run()
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
            for task in self._background:
                task.cancel()
            await asyncio.to_thread(self._keeper.stop)
            with suppress(RedisError, OSError):
                await self.pool.delete(self.health_check_key)
            if self.on_shutdown:
                await call_hook(self.on_shutdown, self._ctx)
        if hasattr(self, "_wire"):
            await self._wire.aclose()
        await self.pool.aclose(close_connection_pool=True)
        self._pool = None

    async def _settled(self) -> None:
        """Until nothing comes any more, and all that runs has ended and been reported."""
        await self._intake.withdraw()
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
            claim.expired = True
            self._keeper.hold(claim, longest_s=self._longest_run_s)
            self._start(claim, expired.now_ms)

    def _stop_claiming(self) -> None:
        self.allow_pick_jobs = False
        if hasattr(self, "_keeper"):
            self._keeper.set_counts(self.jobs_complete, self.jobs_failed, draining=True)
            self._intake.stop()
            while self._ready:
                self._hand_back(*self._ready.popleft())

    async def _beat(self) -> None:
        """arq's health key and cron jobs."""
        try:
            with redis_errors():
                await self.heart_beat()
        except RedisUnavailable as error:
            log.debug("no heartbeat", extra={"error": error.message})

    async def _beat_steadily(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            await self._beat()

    async def _burst(self) -> None:
        """Until nothing waits."""
        while self.allow_pick_jobs:
            claimed = await self._intake.claim(max(1, self._places()))
            if self._places() <= 0 or claimed.claims:
                await asyncio.wait(list(self.tasks.values()), return_when=asyncio.FIRST_COMPLETED)
            elif await self._is_drained():
                return
            else:
                await asyncio.sleep(0.01)

    def _places(self) -> int:
        """How many more may begin."""
        places = self.max_jobs - len(self.tasks) - len(self._ready)
        if self._reporter.backlog > self.max_jobs:
            return 0
        if self.burst and self.max_burst_jobs >= 0:
            places = min(places, max(0, self.max_burst_jobs - self._jobs_started()))
        return places

    async def _is_drained(self) -> bool:
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        await self._reporter.drained()
        if 0 <= self.max_burst_jobs <= self._jobs_started():
            return True
        return not any([await self.pool.zcard(queue) for queue in self._queues])

    # run

    def _take(self, claimed: Claimed) -> None:
        """Begin what came; if it was long under way, only what is this worker's still."""
        if self._delays.of(claimed.now_ms) < self._lease_ms / 2:
            self._begin_all(claimed)
        else:
            checking = asyncio.create_task(self._begin_late(claimed))
            self._hooks.add(checking)
            checking.add_done_callback(self._hooks.discard)

    async def _begin_late(self, claimed: Claimed) -> None:
        try:
            with redis_errors():
                lost = await self._scripts.renew(claimed.claims, lease_ms=self._lease_ms)
        except RedisUnavailable:
            return  # it comes back when its lease has lapsed
        kept = [claim for claim in claimed.claims if claim.prediction_id not in lost]
        log.warning("claims came late", extra={"predictions": len(claimed.claims), "lost": len(lost)})
        self._begin_all(msgspec.structs.replace(claimed, claims=kept))

    def _begin_all(self, claimed: Claimed) -> None:
        """What has no place yet begins when one is free."""
        for claim in claimed.claims:
            if not self.allow_pick_jobs:
                self._hand_back(claim, claimed.now_ms)
                continue
            self._keeper.hold(claim, longest_s=self._longest_run_s)
            if claim.is_suspect:
                self._suspects.add(claim.prediction_id)
            if len(self.tasks) < self.max_jobs:
                self._start(claim, claimed.now_ms)
            else:
                self._ready.append((claim, claimed.now_ms))

    def _start(self, claim: Claim, now_ms: int) -> None:
        attempt = Attempt(claim, now_ms=now_ms)
        attempt.task = self.tasks[claim.prediction_id] = asyncio.create_task(self._run(attempt))

    def _hand_back(self, claim: Claim, now_ms: int) -> None:
        """It came too late to begin."""
        attempt = Attempt(claim, now_ms=now_ms)
        finish = attempt.handed_back()
        self._reporter.report(finish, partial(self._reported, attempt, finish, dict(self._ctx)))

    def _place_freed(self) -> None:
        if self._ready and len(self.tasks) < self.max_jobs:
            self._start(*self._ready.popleft())
        self._intake.place_freed()

    async def _run(self, attempt: Attempt) -> None:
        """One attempt, to its end. The task ends when the end is with the reporter; see ``_reported``."""
        ctx = dict(self._ctx)
        finish = await self._runner.run(attempt, ctx)
        prediction_id = attempt.claim.prediction_id
        if self.tasks.get(prediction_id) is attempt.task:
            del self.tasks[prediction_id]
        self._place_freed()
        self._reporter.report(finish, partial(self._reported, attempt, finish, ctx))

    def _reported(self, attempt: Attempt, finish: Finish, ctx: dict[Any, Any], accepted: bool) -> None:
        """Its end is in Redis: only now its lease is let go."""
        self._keeper.release(attempt.claim)
        self._suspects.discard(attempt.claim.prediction_id)
        self._count(finish.ended, accepted=accepted)
        self._log.add(attempt, finish.ended, accepted=accepted)
        end_attempt(ctx, finish.ended, accepted=accepted)
        if self.after_job_end:
            hook = asyncio.ensure_future(call_hook(self.after_job_end, ctx))
            self._hooks.add(hook)
            hook.add_done_callback(self._hooks.discard)

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


def new_worker_id() -> str:
    """Of a worker in this process; no two are the same."""
    return f"{platform.node()}-{os.getpid()}-{os.urandom(2).hex()}"
