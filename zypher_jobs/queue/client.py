"""``PredictionQueue``: arq's client, with predictions.

Overrides nothing of ``ArqRedis``; what it adds writes arq's keys in arq's format in one script instead of three round
trips, so that ``enqueue_job``, ``Job.result()``, ``Job.status()`` and any tool made for arq work beside it.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import msgspec
from arq.connections import ArqRedis
from redis.asyncio import ConnectionPool

from zypher_jobs.contracts.prediction import PREVIEW_CHARS, Mode, Prediction, Status, SyncOutcome
from zypher_jobs.errors import InvalidInput, SettingError
from zypher_jobs.queue.connection import connection_pool, redis_errors
from zypher_jobs.queue.ids import new_prediction_id
from zypher_jobs.queue.inspect import Inspector
from zypher_jobs.queue.latency import bucket_of
from zypher_jobs.queue.payloads import deserialize, serialize
from zypher_jobs.queue.scripts import Record, Recorded, Scripts
from zypher_jobs.queue.waiters import Waiters
from zypher_jobs.settings import Settings

PREDICT = "predict"
"""Name of the arq function that every prediction's job calls, with ``(model, input)``."""

_encode = msgspec.msgpack.Encoder().encode


class PredictionQueue(ArqRedis):
    """The queue as callers use it: submit, read, wait.

    Calls raise ``RedisUnavailable`` when Redis does not answer in time.
    """

    def __init__(self, pool: ConnectionPool, *, retention_s: int = 86_400) -> None:
        super().__init__(pool_or_conn=pool, job_serializer=serialize, job_deserializer=deserialize)
        self.auto_close_connection_pool = True
        self.retention_ms = retention_s * 1000

    @classmethod
    def from_settings(cls, settings: Settings) -> "PredictionQueue":
        """A client for ``settings.redis_url``; no I/O yet. Raises ``SettingError`` when that is unset."""
        if settings.redis_url is None:
            raise SettingError("ZYPHER_REDIS_URL is not set and no embedded server was started; run `zypher up`.")
        pool = connection_pool(settings.redis_url, timeout_s=settings.redis_timeout_s)
        return cls(pool, retention_s=settings.retention_s)

    @cached_property
    def inspect(self) -> Inspector:
        """The reads over the same connections."""
        return Inspector(self)

    @cached_property
    def scripts(self) -> Scripts:
        """The writes over the same connections."""
        return Scripts(self)

    @cached_property
    def _waiters(self) -> Waiters:
        return Waiters(self)

    async def submit(self, model: str, value: Any, *, input_preview: str = "") -> Prediction:
        """Queue a prediction; when this returns it is in Redis.

        ``value``, the input, is a msgspec Struct or anything MessagePack holds; the model's schema is the caller's to
        check. Raises ``InvalidInput`` for what MessagePack cannot hold (integers beyond 64 bits).
        """
        prediction_id = new_prediction_id()
        now_ms = int(datetime.now(UTC).timestamp() * 1000)
        try:
            job = serialize({"t": None, "f": PREDICT, "a": (model, value), "k": {}, "et": now_ms})
        except (TypeError, OverflowError) as error:
            raise InvalidInput(f"The input cannot be queued: {error}.") from error
        with redis_errors():
            created_at_ms, ahead = await self.scripts.submit(
                prediction_id,
                job=job,
                retention_ms=self.retention_ms,
                model=model,
                input_preview=input_preview[:PREVIEW_CHARS],
            )
        return Prediction(
            prediction_id=prediction_id,
            status=Status.QUEUED,
            model=model,
            mode=Mode.ASYNC,
            queue_position=ahead,
            created_at=datetime.fromtimestamp(created_at_ms / 1000, UTC),
        )

    async def prediction(self, prediction_id: str) -> Prediction:
        """One prediction as it stands; raises ``UnknownPrediction``."""
        return await self.inspect.prediction(prediction_id)

    async def wait_for(self, prediction_id: str, timeout_s: float) -> Prediction:
        """One prediction as soon as it is terminal, or as it stands after ``timeout_s``.

        Raises ``UnknownPrediction``.
        """
        loop_time = asyncio.get_running_loop().time
        deadline = loop_time() + timeout_s
        prediction = await self.prediction(prediction_id)
        if prediction.status.is_terminal or timeout_s <= 0:
            return prediction
        async with self._waiters.listening(prediction_id) as woken:
            while True:
                prediction = await self.prediction(prediction_id)
                remaining_s = deadline - loop_time()
                if prediction.status.is_terminal or remaining_s <= 0:
                    return prediction
                await woken(remaining_s)

    async def record_sync(self, outcomes: Sequence[SyncOutcome]) -> None:
        """Write the records, counts and latencies of predictions that ran in an API process, in one round trip."""
        if not outcomes:
            return
        with redis_errors():
            await self.scripts.record([_record(outcome) for outcome in outcomes], retention_ms=self.retention_ms)

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close the connections, those of waiters too."""
        if "_waiters" in self.__dict__:
            await self._waiters.aclose()
        await super().aclose(close_connection_pool)


def _record(outcome: SyncOutcome) -> Record:
    wait_ms = outcome.started_at_ms - outcome.created_at_ms
    run_us = round(outcome.run_ms * 1000)
    fields: list[str | int] | None = None
    output = b""
    if outcome.keep_record:
        fields = [
            *(
                "status",
                outcome.status,
                "model",
                outcome.model,
                "mode",
                Mode.SYNC,
                "attempts",
                1,
                "worker",
                outcome.worker,
            ),
            *("created_at_ms", outcome.created_at_ms, "started_at_ms", outcome.started_at_ms),
            *("finished_at_ms", outcome.started_at_ms + round(outcome.run_ms), "run_us", run_us),
            *("input_preview", outcome.input_preview[:PREVIEW_CHARS]),
            *("output_preview", outcome.output_preview[:PREVIEW_CHARS]),
        ]
        if outcome.error is not None:
            fields += ["error_code", outcome.error.code, "error_message", outcome.error.message]
        else:
            output = _encode(outcome.output)
    recorded = Recorded(
        outcome.prediction_id,
        outcome.model,
        Mode.SYNC,
        outcome.status,
        bucket_of(wait_ms),
        wait_ms * 1000,
        bucket_of(outcome.run_ms),
        run_us,
        outcome.created_at_ms,
        fields,
    )
    return Record(recorded, output)
