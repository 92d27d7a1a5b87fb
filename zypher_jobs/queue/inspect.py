"""Reads of the queue: one prediction, lists, or the whole system at one instant. Never KEYS, never O(all predictions).

Needs redis-py only, not arq: it is the dashboard's way to Redis.
"""

import time
from collections.abc import AsyncGenerator, Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec

from zypher_jobs.contracts.event import Event
from zypher_jobs.contracts.history import HistoryFrame
from zypher_jobs.contracts.prediction import DeadLetter, DeadLetterGroup, Mode, Prediction, PredictionSummary, Status
from zypher_jobs.contracts.stats import Overview, QueueState, QueueStats, WorkerStats
from zypher_jobs.errors import Conflict, UnknownPrediction
from zypher_jobs.queue import keys
from zypher_jobs.queue.connection import RedisClient, connect, redis_errors
from zypher_jobs.queue.events import follow
from zypher_jobs.queue.figures import counts_of, latencies_of
from zypher_jobs.queue.history import read_history
from zypher_jobs.queue.lines import SAMPLED, queue_states
from zypher_jobs.queue.payloads import NOTHING, input_in
from zypher_jobs.queue.records import dead_letter_of, instant, prediction_of, summary_of, texts
from zypher_jobs.queue.scripts import source
from zypher_jobs.queue.webhook_rows import is_suspended
from zypher_jobs.queue.wire import Script, Wire

GROUPED = 2_000
"""Newest dead letters that are read to group them by error."""

GOOD_LOOKED_AT = 200
"""Newest that succeeded, which are looked at for the last good one of each model."""

_decode_worker = msgspec.msgpack.Decoder(WorkerStats).decode


class _Queues(msgspec.Struct):
    now_ms: int
    total: QueueStats
    each: list[QueueStats]
    ended_per_s: float
    dead_letters: int
    refused_finishes: int


class Inspector:
    """Reads over one client.

    Every call raises ``RedisUnavailable`` when Redis does not answer in the client's time-out.
    """

    def __init__(self, redis: RedisClient, wire: Wire | None = None) -> None:
        """``wire`` is the client's own, if it has one."""
        self._redis = redis
        self._wire = Wire(redis.connection_pool) if wire is None else wire
        self._overview = Script(self._wire, source("overview"))
        self._read = Script(self._wire, source("read"))
        self._page = Script(self._wire, source("page"))
        self._lines = Script(self._wire, source("lines"))

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
            flat, result, ahead, ended, over_ms = await self._read(args=(prediction_id,))
        if not flat:
            raise UnknownPrediction(prediction_id)
        fields: dict[bytes, bytes] = dict(zip(flat[::2], flat[1::2], strict=True))
        return prediction_of(
            prediction_id,
            texts(fields),
            result,
            sync_output=fields.get(b"output"),
            ahead=None if ahead < 0 else ahead,
            ended_per_s=ended / over_ms * 1000 if over_ms else 0,
        )

    async def caller_of(self, prediction_id: str) -> str:
        """Who asked for it: the id of a key, or nothing. Raises ``UnknownPrediction``."""
        with redis_errors():
            status, caller = await self._redis.hmget(keys.record(prediction_id), "status", "caller")
        if status is None:
            raise UnknownPrediction(prediction_id)
        return (caller or b"").decode()

    async def list_predictions(
        self, status: Status | Collection[Status] | None = None, *, before: str | None = None, limit: int = 50
    ) -> tuple[list[PredictionSummary], str | None]:
        """Up to ``limit`` predictions, newest first, and the cursor of the next page (``None``: this is the last).

        ``limit`` is 1 or more. Of one status, of several, or without
        ``status`` of every one, synchronous ones too. Of one millisecond they come
        by id, from the last to the first. A page holds fewer where records have expired, maybe none, though others
        follow. Raises ``ValueError`` for a cursor that is none.
        """
        wanted = [status] if isinstance(status, Status) else status or list(Status)
        lists = [keys.listed(each) for each in wanted] + ([keys.SYNC_LIST] if status is None else [])
        with redis_errors():
            newest, more = await self._newest(lists, before=before, limit=max(1, limit))
        found = [each for each in await self.summaries([i for _, i in newest]) if each is not None]
        return found, "{}-{}".format(*newest[-1]) if more else None

    async def summaries(self, prediction_ids: Sequence[str]) -> list[PredictionSummary | None]:
        """For each id its line of a list, ``None`` for one that nobody has."""
        if not prediction_ids:
            return []
        with redis_errors():
            async with self._redis.pipeline(transaction=False) as pipe:
                for prediction_id in prediction_ids:
                    pipe.hgetall(keys.record(prediction_id))
                rows: list[Any] = await pipe.execute()
        return [summary_of(i, fields) if fields else None for i, fields in zip(prediction_ids, rows, strict=True)]

    async def are_dead(self, prediction_ids: Sequence[str]) -> list[bool]:
        """For each whether it is a dead letter."""
        return await self._are_in(keys.DEAD, prediction_ids)

    async def are_stopping(self, prediction_ids: Sequence[str]) -> list[bool]:
        """For each that runs whether somebody asked for it to be stopped."""
        return await self._are_in(keys.ARQ_ABORT, prediction_ids)

    async def are_replayed(self, prediction_ids: Sequence[str]) -> list[bool]:
        """For each whether somebody asked for it again."""
        with redis_errors():
            async with self._redis.pipeline(transaction=False) as pipe:
                for prediction_id in prediction_ids:
                    pipe.hexists(keys.record(prediction_id), "replayed_as")
                return [bool(each) for each in await pipe.execute()]

    async def dead_letters(self, *, limit: int = 50) -> list[DeadLetter]:
        """Predictions out of attempts, newest first."""
        with redis_errors():
            ids: list[bytes] = await self._redis.zrange(keys.DEAD, 0, limit - 1, desc=True)
            async with self._redis.pipeline(transaction=False) as pipe:
                for prediction_id in ids:
                    pipe.hgetall(keys.record(prediction_id.decode()))
                rows: list[Any] = await pipe.execute() if ids else []
        return [dead_letter_of(i.decode(), fields) for i, fields in zip(ids, rows, strict=True) if fields]

    async def dead_letter_groups(self) -> list[DeadLetterGroup]:
        """The newest ``GROUPED`` dead letters by the kind of their error, largest group first."""
        groups: dict[tuple[str, str], DeadLetterGroup] = {}
        good = await self._last_good()
        for letter in await self.dead_letters(limit=GROUPED):
            known = groups.get((letter.model, letter.fingerprint))
            groups[letter.model, letter.fingerprint] = DeadLetterGroup(
                fingerprint=letter.fingerprint,
                model=letter.model,
                error=known.error if known else letter.error,
                count=known.count + 1 if known else 1,
                first_at=letter.finished_at,
                last_at=known.last_at if known else letter.finished_at,
                newest_id=known.newest_id if known else letter.prediction_id,
                last_good_id=good.get(letter.model, (None, None))[0],
                last_good_at=good.get(letter.model, (None, None))[1],
            )
        return sorted(groups.values(), key=lambda group: -group.count)

    async def _last_good(self) -> dict[str, tuple[str, datetime | None]]:
        """Model → the newest that succeeded and when it ended, of the ``GOOD_LOOKED_AT`` newest."""
        good = dict[str, tuple[str, datetime | None]]()
        newest, _ = await self.list_predictions(Status.SUCCEEDED, limit=GOOD_LOOKED_AT)
        for each in newest:
            good.setdefault(each.model, (each.prediction_id, each.finished_at))
        return good

    async def input_of(self, prediction_id: str) -> Any:
        """What a prediction was asked with. Raises ``UnknownPrediction``; ``Conflict`` where it is not kept."""
        with redis_errors():
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.get(keys.job(prediction_id))
                pipe.get(keys.result(prediction_id))
                pipe.hmget(keys.record(prediction_id), "status", "mode")
                job, result, (status, mode) = await pipe.execute()
        if status is None:
            raise UnknownPrediction(prediction_id)
        value = input_in(job or result)
        if value is NOTHING:
            why = "it was answered at once" if mode == Mode.SYNC.value.encode() else "it is too old"
            raise Conflict(f"The input of prediction {prediction_id!r} is not kept: {why}.")
        return value

    async def history(self, *, since: datetime, until: datetime, most: int) -> list[HistoryFrame]:
        """What was recorded of that time; see ``history.read_history``."""
        return await read_history(self._redis, since=since, until=until, most=most)

    async def overview(self, *, latest: int = 50) -> Overview:
        """The whole system, with the ``latest`` newest predictions."""
        redis_ms = await self.ping()
        newest, _ = await self.list_predictions(limit=latest) if latest > 0 else ([], None)
        with redis_errors():
            queues = await self._queues()
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.hgetall(keys.COUNTS)
                pipe.hgetall(keys.LATENCY)
                pipe.hvals(keys.WEBHOOKS)
                counts, latencies, webhooks = await pipe.execute()
        workers = await self.workers()
        return Overview(
            taken_at=instant(queues.now_ms),
            redis_ms=redis_ms,
            queue=queues.total,
            queues=queues.each,
            ended_per_s=queues.ended_per_s,
            dead_letters=queues.dead_letters,
            refused_finishes=queues.refused_finishes,
            webhooks_suspended=sum(is_suspended(packed) for packed in webhooks),
            counts=counts_of(counts),
            latencies=latencies_of(latencies),
            workers=workers,
            latest=newest,
        )

    async def queues(self) -> list[QueueState]:
        """Each queue, highest priority first."""
        with redis_errors():
            return queue_states(await self._lines(keys=list(keys.QUEUES.values()), args=(SAMPLED,)))

    async def workers(self) -> list[WorkerStats]:
        """Those that are alive, by id."""
        with redis_errors():
            seconds, micros = await self._redis.time()
            since_ms = seconds * 1000 + micros // 1000 - keys.HEARTBEAT_TTL_S * 1000
            ids: list[bytes] = await self._redis.zrangebyscore(keys.WORKERS, since_ms, "+inf")
            names = [keys.worker(worker_id.decode()) for worker_id in ids]
            beats: list[bytes | None] = await self._redis.mget(names) if names else []
        workers = [_decode_worker(beat) for beat in beats if beat is not None]
        return sorted(workers, key=lambda worker: worker.worker_id)

    def follow(self, after_id: str = "$") -> AsyncGenerator[Event]:
        """Events without end; see ``events.follow``."""
        return follow(self._redis, after_id)

    async def aclose(self) -> None:
        """Close the client."""
        await self._wire.aclose()
        await self._redis.aclose()

    async def _are_in(self, key: str, prediction_ids: Sequence[str]) -> list[bool]:
        if not prediction_ids:
            return []
        with redis_errors():
            scores: list[Any] = await self._redis.execute_command("ZMSCORE", key, *prediction_ids)
        return [score is not None for score in scores]

    async def _newest(
        self, lists: Sequence[str], *, before: str | None, limit: int
    ) -> tuple[list[tuple[int, str]], bool]:
        """Creation times (ms) and ids over some lists behind a cursor (``created ms-id``); whether more follow."""
        edge: list[int | str] = []
        if before is not None:
            created, _, prediction_id = before.partition("-")
            edge = [int(created), prediction_id]
        pages = await self._page(keys=lists, args=[limit + 1, *edge])
        rows = sorted(
            ((int(at), i.decode()) for page in pages for i, at in zip(page[::2], page[1::2], strict=True)), reverse=True
        )
        return rows[:limit], len(rows) > limit

    async def _queues(self) -> _Queues:
        now_ms, *each, (running, oldest_ms, ended, over_ms, dead, refused) = await self._overview(
            keys=list(keys.QUEUES.values())
        )
        stats = [
            QueueStats(
                name=name,
                depth=waiting,
                running=later,
                oldest_age_ms=None if since_ms < 0 or not waiting else float(max(0, now_ms - since_ms)),
                paused=paused == 1,
                ended_per_s=ended_of_it / in_ms * 1000,
            )
            for name, (waiting, later, since_ms, paused, ended_of_it, in_ms) in zip(keys.QUEUES, each, strict=True)
        ]
        depth = sum(queue.depth for queue in stats)
        total = QueueStats(
            name="all",
            depth=depth,
            running=running,
            oldest_age_ms=None if oldest_ms < 0 or not depth else float(max(0, now_ms - oldest_ms)),
            paused=all(queue.paused for queue in stats),
        )
        return _Queues(now_ms, total, stats, ended / over_ms * 1000, dead, refused)
