"""``PredictionQueue``: arq's client, with predictions.

Overrides ``enqueue_job`` of ``ArqRedis``, to have idle workers look. What it adds writes arq's keys in arq's format in
one script instead of three round trips: ``Job.result()``, ``Job.status()`` and any tool made for arq work beside it.
"""

import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from arq.connections import ArqRedis
from arq.jobs import Job
from redis.asyncio import ConnectionPool

from zypher_jobs.contracts.prediction import PREVIEW_CHARS, Mode, Prediction, Priority, Status, SyncOutcome
from zypher_jobs.contracts.trace import TraceContext, trace_id_of
from zypher_jobs.errors import Conflict, InvalidInput, QueueFull, SettingError, UnknownPrediction, ZypherError
from zypher_jobs.queue import keys
from zypher_jobs.queue.bulk import Bulk, canceled
from zypher_jobs.queue.connection import RedisClient, connection_pool, redis_errors
from zypher_jobs.queue.ids import new_prediction_id
from zypher_jobs.queue.inspect import Inspector
from zypher_jobs.queue.payloads import PREDICT, deserialize, serialize
from zypher_jobs.queue.records import PRIORITIES, instant
from zypher_jobs.queue.rows import REPLAYED, New, Submission, Submitted
from zypher_jobs.queue.scripts import Scripts
from zypher_jobs.queue.stories import BEGINNING
from zypher_jobs.queue.submitter import Submitter
from zypher_jobs.queue.synchronous import record_of
from zypher_jobs.queue.waiters import Waiters
from zypher_jobs.queue.watchers import Watch, Watchers
from zypher_jobs.queue.wire import Wire
from zypher_jobs.settings import Settings
from zypher_jobs.tracing import Tracer

UNKNOWN_DRAIN_S = 30.0
"""When to try a full queue again of which nothing ended lately."""


class PredictionQueue(ArqRedis):
    """The queue as callers use it: submit, read, wait, cancel.

    Calls raise ``RedisUnavailable`` when Redis does not answer in time.
    """

    def __init__(self, pool: ConnectionPool, *, retention_s: int = 86_400, depth_limit: int = 0) -> None:
        """``retention_s``: how long records stay; ``depth_limit``: how many may wait in one queue (0: any number)."""
        super().__init__(pool_or_conn=pool, job_serializer=serialize, job_deserializer=deserialize)
        self.auto_close_connection_pool = True
        self.retention_ms = retention_s * 1000
        self.depth_limit = depth_limit
        self.tracer: Tracer | None = None
        """Who makes a span of each submit."""

    @classmethod
    def from_settings(cls, settings: Settings) -> "PredictionQueue":
        """A client for ``settings.redis_url``; no I/O yet. Raises ``SettingError`` when that is unset."""
        if settings.redis_url is None:
            raise SettingError("ZYPHER_REDIS_URL is not set and no embedded server was started; run `zypher up`.")
        pool = connection_pool(settings.redis_url, timeout_s=settings.redis_timeout_s)
        return cls(pool, retention_s=settings.retention_s, depth_limit=settings.queue_limit)

    @cached_property
    def inspect(self) -> Inspector:
        """The reads over the same connections."""
        return Inspector(self, self._wire)

    @cached_property
    def scripts(self) -> Scripts:
        """The writes over the same connections."""
        return Scripts(self._wire)

    @cached_property
    def bulk(self) -> Bulk:
        """Many at once, each with an answer of its own."""
        return Bulk(
            self,
            self.scripts,
            self._submitter,
            retention_ms=self.retention_ms,
            submission_of=self._submission,
            answer_of=self._answer,
        )

    @cached_property
    def _wire(self) -> Wire:
        return Wire(self.connection_pool)

    @cached_property
    def _submitter(self) -> Submitter:
        return Submitter(self.scripts)

    @cached_property
    def _waiters(self) -> Waiters:
        return Waiters(self.connection_pool, self.inspect)

    @cached_property
    def _watchers(self) -> Watchers:
        return Watchers(self.connection_pool, self.inspect)

    async def submit(
        self,
        model: str,
        value: Any,
        *,
        version: str = "",
        input_preview: str = "",
        input_bytes: int = 0,
        prediction_id: str | None = None,
        priority: Priority = Priority.NORMAL,
        caller: str = "",
        expires_in_s: float | None = None,
        timeout_s: float | None = None,
        replay_of: str = "",
        will_wait: bool = False,
        webhook: str = "",
        trace: TraceContext | None = None,
    ) -> Prediction:
        """Queue a prediction; when this returns it is in Redis.

        ``value``, the input, is a msgspec Struct or anything MessagePack holds; the model's schema is the caller's to
        check. With ``prediction_id`` it is idempotent: an id that is known already is answered as it stands, and
        nothing changes. ``caller`` is whom it is for: callers take turns. ``expires_in_s``: it is not begun after so
        long; ``timeout_s``: one attempt runs no longer. With ``will_wait``, ``wait_for`` what this returns costs no
        round trip. ``webhook``: who is told of its end, as ``deliver.lua`` reads it.
        ``trace``: its caller's, which goes with it to the model and the webhook.
        Raises ``InvalidInput`` for what MessagePack cannot hold
        (integers beyond 64 bits), ``QueueFull`` over the limit.
        """
        span = None
        if self.tracer is not None:
            span = self.tracer.span("enqueue", kind="producer", parent=trace, attributes={"zypher.model": model})
            trace = span.trace
        try:
            submission = self._submission(
                prediction_id or new_prediction_id(),
                model,
                value,
                timeout_s=timeout_s,
                version=version,
                input_preview=input_preview,
                input_bytes=input_bytes,
                priority=priority,
                caller=caller,
                expires_in_s=expires_in_s,
                replay_of=replay_of,
                reply_to=self._waiters.client_id if will_wait else "",
                webhook=webhook,
                trace=trace,
            )
            if not will_wait:
                return await self._answer(submission.new, await self._submitter.submit(submission))
            await self._waiters.expect(submission.new.prediction_id)
            try:
                return await self._answer(submission.new, await self._submitter.submit(submission))
            except BaseException:
                self._waiters.forget(submission.new.prediction_id)
                raise
        finally:
            if span is not None:
                span.end()

    async def enqueue_job(self, function: str, *args: Any, **options: Any) -> Job | None:
        """arq's, three round trips; idle workers look at once, or learn when it is due."""
        job = await super().enqueue_job(function, *args, **options)
        if job is not None:
            with redis_errors():
                await self.scripts.wake()
        return job

    async def submit_many(
        self,
        model: str,
        values: Sequence[Any],
        *,
        version: str = "",
        input_previews: Sequence[str] = (),
        input_bytes: Sequence[int] = (),
        prediction_ids: Sequence[str] = (),
        priority: Priority = Priority.NORMAL,
        caller: str = "",
        webhook: str = "",
        trace: TraceContext | None = None,
    ) -> list[Prediction]:
        """Queue many predictions of one model, in order; raises as ``submit`` does.

        ``input_previews``, ``input_bytes`` and ``prediction_ids`` are of each, if they are given; ``webhook`` is told
        of the end of each. On ``QueueFull`` those for which there was room (``queued``) stay queued.
        """

        span = None
        if self.tracer is not None:
            facts = {"zypher.model": model, "zypher.predictions": len(values)}
            span = self.tracer.span("enqueue", kind="producer", parent=trace, attributes=facts)
            trace = span.trace

        def some(start: int, end: int) -> list[Submission]:
            return [
                self._submission(
                    prediction_ids[number] if prediction_ids else new_prediction_id(),
                    model,
                    values[number],
                    version=version,
                    input_preview=input_previews[number] if input_previews else "",
                    input_bytes=input_bytes[number] if input_bytes else 0,
                    priority=priority,
                    caller=caller,
                    webhook=webhook,
                    trace=trace,
                )
                for number in range(start, end)
            ]

        try:
            submitted = await self._submitter.submit_many(len(values), some)
        finally:
            if span is not None:
                span.end()
        answers, full = list[Prediction](), None
        for submission, what in submitted:
            try:
                answers.append(await self._answer(submission.new, what))
            except QueueFull as error:
                full = full or error
        if full is not None:
            full.queued = len(answers)
            raise full
        return answers

    async def prediction(self, prediction_id: str) -> Prediction:
        """One prediction as it stands; raises ``UnknownPrediction``."""
        return await self.inspect.prediction(prediction_id)

    async def wait_for(self, prediction: Prediction | str, timeout_s: float) -> Prediction:
        """One prediction, by what is known of it or its id, as soon as it is terminal, or as it is after ``timeout_s``.

        Raises ``UnknownPrediction``.
        """
        return await self._waiters.wait(prediction, timeout_s)

    @property
    def waiting(self) -> int:
        """Those who wait for a prediction in this process."""
        return len(self._waiters)

    @property
    def watching(self) -> int:
        """Those who watch one."""
        return len(self._watchers)

    def watch_prediction(self, prediction_id: str, *, wake: Callable[[], None], after: str = BEGINNING) -> Watch:
        """Read what it says from an entry of its story on, and be woken whenever there is more; ``close`` it."""
        return self._watchers.watch(prediction_id, after=after, wake=wake)

    async def cancel(self, prediction_id: str) -> Prediction:
        """Cancel it: at once if it waits; if it runs, its worker learns of it within a second.

        A terminal one stays as it is. Returns it as it stands then; raises ``UnknownPrediction``.
        """
        redis: RedisClient = self
        with redis_errors():
            job = await redis.get(keys.job(prediction_id))
            result = canceled(prediction_id, job)
            now = await self.scripts.cancel(prediction_id, result=result, retention_ms=self.retention_ms)
        if now is None:
            raise UnknownPrediction(prediction_id)
        return await self.prediction(prediction_id)

    async def pause(self, priority: Priority = Priority.NORMAL) -> None:
        """Workers claim nothing more of that queue; submits go on, running ones end."""
        redis: RedisClient = self
        with redis_errors():
            await redis.sadd(keys.PAUSED, keys.QUEUES[priority])

    async def resume(self, priority: Priority = Priority.NORMAL) -> None:
        """Workers claim of it again."""
        redis: RedisClient = self
        with redis_errors():
            await redis.srem(keys.PAUSED, keys.QUEUES[priority])
            await self.scripts.wake()

    async def replay(self, prediction_id: str) -> Prediction:
        """A new prediction with the input of one that ended; a dead letter is one no longer.

        It is for whichever version is live when it runs, not for the one that failed. Its own webhook is told of the
        new one, too.
        Raises ``UnknownPrediction``, ``Conflict`` (it has not ended, or its input is not kept), ``QueueFull``.
        """
        (answer,) = await self.bulk.replay([prediction_id])
        if isinstance(answer, ZypherError):
            raise answer
        return answer

    async def retry(self, prediction_id: str) -> Prediction:
        """Have one that waits for a later time, the pause after a failed attempt, be due at once.

        Returns it as it stands then; raises ``UnknownPrediction``, ``Conflict`` (it does not wait for a time).
        """
        (refusal,) = await self.bulk.retry([prediction_id])
        if refusal is not None:
            raise refusal
        return await self.prediction(prediction_id)

    async def drop(self, prediction_ids: Sequence[str]) -> int:
        """Forget dead letters; how many of the ids were one."""
        with redis_errors():
            return await self.scripts.forget(prediction_ids)

    async def record_sync(self, outcomes: Sequence[SyncOutcome]) -> None:
        """Write the records, counts and latencies of predictions that ran in an API process, in one round trip."""
        if not outcomes:
            return
        with redis_errors():
            await self.scripts.record([record_of(outcome) for outcome in outcomes], retention_ms=self.retention_ms)

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close the connections, those of waiters too."""
        for name in ("_waiters", "_watchers", "_wire"):
            if name in self.__dict__:
                await getattr(self, name).aclose()
        await super().aclose(close_connection_pool)

    def _submission(
        self,
        prediction_id: str,
        model: str,
        value: Any,
        *,
        timeout_s: float | None = None,
        version: str = "",
        input_preview: str = "",
        input_bytes: int = 0,
        priority: Priority = Priority.NORMAL,
        caller: str = "",
        expires_in_s: float | None = None,
        replay_of: str = "",
        reply_to: str = "",
        webhook: str = "",
        trace: TraceContext | None = None,
        once: bool = False,
    ) -> Submission:
        now_ms = int(time.time() * 1000)
        options: dict[str, Any] = {"version": version} if version else {}
        if timeout_s is not None:
            options["timeout_s"] = timeout_s
        stored = ""
        if trace is not None:
            stored = options["trace"] = trace.stored
        try:
            job = serialize({"t": None, "f": PREDICT, "a": (model, value), "k": options, "et": now_ms})
        except (TypeError, OverflowError) as error:
            raise InvalidInput(f"The input cannot be queued: {error}.") from error
        new = New(
            prediction_id,
            keys.QUEUES[priority],
            model,
            version,
            caller,
            input_preview[:PREVIEW_CHARS],
            input_bytes,
            keys.JOB_TTL_MS + self.retention_ms,
            0 if expires_in_s is None else max(1, int(expires_in_s * 1000)),
            self.depth_limit,
            replay_of,
            reply_to,
            webhook,
            stored,
            once,
        )
        return Submission(new, job)

    async def _answer(self, new: New, submitted: Submitted) -> Prediction:
        if submitted.state == REPLAYED:
            raise Conflict(f"Prediction {new.replay_of!r} was replayed already.")
        if submitted.state < 0:
            drain_s = UNKNOWN_DRAIN_S if submitted.room_in_ms < 0 else max(1.0, submitted.room_in_ms / 1000)
            raise QueueFull(new.queue, depth=submitted.ahead, limit=new.depth_limit, retry_after_s=drain_s)
        if submitted.state == 0:
            if new.reply_to:
                self._waiters.forget(new.prediction_id)
            return await self.prediction(new.prediction_id)
        return Prediction(
            prediction_id=new.prediction_id,
            status=Status.QUEUED,
            model=new.model,
            mode=Mode.ASYNC,
            queue_position=max(0, submitted.ahead),
            created_at=instant(submitted.now_ms),
            version=new.version,
            priority=PRIORITIES[new.queue],
            deadline_at=instant(submitted.now_ms + new.expires_in_ms) if new.expires_in_ms else None,
            input_bytes=new.input_bytes,
            replay_of=new.replay_of or None,
            trace_id=trace_id_of(new.trace),
        )
