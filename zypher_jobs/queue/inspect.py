"""Reads of the queue: one prediction, or the whole system at one instant. Never KEYS, never in O(all predictions).

Needs redis-py only, not arq: it is the dashboard's way to Redis.
"""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, overload

import msgspec

from zypher_jobs.contracts.prediction import Mode, Prediction, PredictionFailure, PredictionSummary, Status
from zypher_jobs.contracts.stats import LatencyHistogram, Overview, PredictionCount, QueueStats, WorkerStats
from zypher_jobs.errors import UnknownPrediction
from zypher_jobs.queue import keys
from zypher_jobs.queue.connection import RedisClient, connect, redis_errors
from zypher_jobs.queue.latency import BOUNDS_MS
from zypher_jobs.queue.payloads import deserialize
from zypher_jobs.queue.scripts import load

_decode_worker = msgspec.msgpack.Decoder(WorkerStats).decode


class Inspector:
    """Reads over one client.

    Every call raises ``RedisUnavailable`` when Redis does not answer in the client's time-out.
    """

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self._oldest = load(redis, "oldest")

    @classmethod
    def from_url(cls, url: str, *, timeout_s: float = 1.5) -> "Inspector":
        """An inspector with a client of its own; no I/O yet. ``aclose`` it."""
        return cls(connect(url, timeout_s=timeout_s))

    async def ping(self) -> float:
        """Round trip of one PING, in ms."""
        started = time.perf_counter()
        with redis_errors():
            await self._redis.execute_command("PING")
        return (time.perf_counter() - started) * 1000

    async def prediction(self, prediction_id: str) -> Prediction:
        """All that is known of one prediction; raises ``UnknownPrediction``."""
        with redis_errors():
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.hgetall(keys.record(prediction_id))
                pipe.get(keys.result(prediction_id))
                pipe.zrank(keys.ARQ_QUEUE, prediction_id)
                pipe.zcount(keys.RUNNING, int(time.time() * 1000), "+inf")
                fields, result, rank, running = await pipe.execute()
        if not fields:
            raise UnknownPrediction(prediction_id)
        return _prediction(prediction_id, fields, result, None if rank is None else max(0, rank - running))

    async def overview(self, *, latest: int = 50) -> Overview:
        """The whole system, with the ``latest`` newest predictions."""
        redis_ms = await self.ping()
        with redis_errors():
            queue, now_ms = await self._queue()
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.hgetall(keys.COUNTS)
                pipe.hgetall(keys.LATENCY)
                pipe.zrangebyscore(keys.WORKERS, now_ms - keys.HEARTBEAT_TTL_S * 1000, "+inf")
                for index in (keys.INDEX, keys.SYNC_INDEX):
                    pipe.zrange(index, 0, latest - 1, desc=True, withscores=True)
                counts, latencies, worker_ids, queued, synchronous = await pipe.execute()
            newest = sorted([*queued, *synchronous], key=lambda row: row[1], reverse=True)[: max(0, latest)]
            ids = [row[0].decode() for row in newest]
            async with self._redis.pipeline(transaction=False) as pipe:
                for worker_id in worker_ids:
                    pipe.get(keys.worker(worker_id.decode()))
                for prediction_id in ids:
                    pipe.hgetall(keys.record(prediction_id))
                rows: list[Any] = await pipe.execute()
        workers = [_decode_worker(row) for row in rows[: len(worker_ids)] if row is not None]
        records = zip(ids, rows[len(worker_ids) :], strict=True)
        return Overview(
            taken_at=_instant(now_ms),
            redis_ms=redis_ms,
            queue=queue,
            counts=_counts(counts),
            latencies=_latencies(latencies),
            workers=sorted(workers, key=lambda worker: worker.worker_id),
            latest=[_summary(prediction_id, fields) for prediction_id, fields in records if fields],
        )

    async def aclose(self) -> None:
        """Close the client."""
        await self._redis.aclose()

    async def _queue(self) -> tuple[QueueStats, int]:
        reply = await self._oldest(keys=[keys.ARQ_QUEUE, keys.RUNNING], args=[keys.ARQ_IN_PROGRESS])
        now_ms, waiting, running, due_ms = reply
        age_ms = None if due_ms < 0 else float(max(0, now_ms - due_ms))
        return QueueStats(name=keys.ARQ_QUEUE, depth=waiting, running=running, oldest_age_ms=age_ms), now_ms


class _Record(msgspec.Struct, kw_only=True):
    """The record's hash as the scripts write it; a field added by a newer version is ignored."""

    status: Status
    model: str
    mode: Mode
    created_at_ms: int
    started_at_ms: int | None = None
    finished_at_ms: int | None = None
    run_us: int | None = None
    attempts: int = 0
    worker: str | None = None
    input_preview: str = ""
    output_preview: str = ""
    error_code: str = ""
    error_message: str = ""

    @property
    def error(self) -> PredictionFailure | None:
        """The failure, if it has one."""
        return PredictionFailure(code=self.error_code, message=self.error_message) if self.error_code else None

    @property
    def wait_ms(self) -> float | None:
        """Created → started."""
        return None if self.started_at_ms is None else float(self.started_at_ms - self.created_at_ms)

    @property
    def run_ms(self) -> float | None:
        """Started → finished."""
        return None if self.run_us is None else self.run_us / 1000


def _read(fields: Mapping[bytes, bytes]) -> _Record:
    text = {name.decode(): value.decode(errors="replace") for name, value in fields.items() if name != b"output"}
    return msgspec.convert(text, _Record, strict=False)


def _prediction(
    prediction_id: str, fields: Mapping[bytes, bytes], result: bytes | None, ahead: int | None
) -> Prediction:
    record = _read(fields)
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
    elif b"output" in fields:
        output = msgspec.msgpack.decode(fields[b"output"])
    return Prediction(
        prediction_id=prediction_id,
        status=status,
        model=record.model,
        mode=record.mode,
        output=output,
        error=error,
        attempts=record.attempts,
        progress=1.0 if status is Status.SUCCEEDED else None,
        queue_position=ahead if status is Status.QUEUED else None,
        created_at=_instant(record.created_at_ms),
        started_at=_instant(record.started_at_ms),
        finished_at=_instant(record.finished_at_ms),
        wait_ms=record.wait_ms,
        run_ms=record.run_ms,
        worker=record.worker,
    )


def _summary(prediction_id: str, fields: Mapping[bytes, bytes]) -> PredictionSummary:
    record = _read(fields)
    return PredictionSummary(
        prediction_id=prediction_id,
        status=record.status,
        model=record.model,
        mode=record.mode,
        input_preview=record.input_preview,
        output_preview=record.output_preview,
        error=record.error,
        attempts=record.attempts,
        created_at=_instant(record.created_at_ms),
        started_at=_instant(record.started_at_ms),
        finished_at=_instant(record.finished_at_ms),
        wait_ms=record.wait_ms,
        run_ms=record.run_ms,
        worker=record.worker,
    )


def _counts(fields: Mapping[bytes, bytes]) -> list[PredictionCount]:
    counts: list[PredictionCount] = []
    for name, count in sorted(fields.items()):
        model, mode, status = name.decode().rsplit("|", 2)
        counts.append(PredictionCount(model=model, mode=Mode(mode), status=Status(status), count=int(count)))
    return counts


def _latencies(fields: Mapping[bytes, bytes]) -> list[LatencyHistogram]:
    histograms: dict[tuple[str, str, str], LatencyHistogram] = {}
    for name, count in sorted(fields.items()):
        model, mode, kind, bucket = name.decode().rsplit("|", 3)
        key = (model, mode, kind)
        known = histograms.get(key) or LatencyHistogram(
            model=model,
            mode=Mode(mode),
            kind=kind,
            bounds_ms=list(BOUNDS_MS),
            counts=[0] * (len(BOUNDS_MS) + 1),
            sum_ms=0,
        )
        if bucket == "sum":
            known = msgspec.structs.replace(known, sum_ms=int(count) / 1000)
        elif int(bucket) < len(known.counts):
            known.counts[int(bucket)] = int(count)
        histograms[key] = known
    return list(histograms.values())


@overload
def _instant(at_ms: int) -> datetime: ...
@overload
def _instant(at_ms: int | None) -> datetime | None: ...
def _instant(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC)
