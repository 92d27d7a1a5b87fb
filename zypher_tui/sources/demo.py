"""A simulated system: the same facts at the same time for the same seed, with no server. For tests and pictures."""

import asyncio
import hashlib
import heapq
import math
import random
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from zypher_jobs.contracts.event import Event
from zypher_jobs.contracts.prediction import Mode, Prediction, PredictionFailure, PredictionSummary, Status
from zypher_jobs.contracts.stats import (
    Health,
    LatencyHistogram,
    Overview,
    PartHealth,
    PredictionCount,
    QueueStats,
    WorkerStats,
)
from zypher_jobs.errors import UnknownPrediction
from zypher_tui.core.readings import Reading, SourceName
from zypher_tui.sources.source import SourceAway

START = datetime(2026, 11, 3, 9, 0, 0, tzinfo=UTC)
STEP_S = 0.1
BOUNDS_MS = [5.0, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000]
KEPT = 200
TEXTS = (
    "Where is my order?",
    "Café on the corner, 20:00",
    "The quick brown fox jumps over the lazy dog",
    "Привет, мир",
    "refund please",
    "Grüße aus Köln",
    "is this the real life",
    "42",
)


class _Run(msgspec.Struct):
    """A prediction on its way."""

    record: PredictionSummary
    duration_s: float
    worker: int = -1


class DemoSystem:
    """An API, a queue and its workers. Set ``away`` and ``busy`` at any time; facts change with ``advance``."""

    def __init__(self, *, seed: int = 7, workers: int = 3, slots: int = 2, busy: bool = True) -> None:
        self.away: set[SourceName] = set()
        self.busy = busy
        self._random = random.Random(seed)  # noqa: S311  # a simulation
        self._now_s = 0.0
        self._slots = slots
        self._waiting: deque[_Run] = deque()
        self._running: list[tuple[float, int, _Run]] = []
        self._taken = [0] * workers
        self._done = [0] * workers
        self._failed = [0] * workers
        self._records: dict[str, PredictionSummary] = {}
        self._counts: dict[tuple[str, Mode, Status], int] = {}
        self._latencies: dict[tuple[str, Mode, str], list[int]] = {}
        self._serial = 0

    def advance(self, to_s: float) -> None:
        """Let the system live until ``to_s`` seconds after its start."""
        while self._now_s + STEP_S <= to_s + 1e-9:
            self._now_s = round(self._now_s + STEP_S, 1)
            if self.busy:
                self._arrivals()
            self._claims()
            self._finishes()

    def health(self) -> Health:
        """``GET /health``."""
        redis_up = SourceName.REDIS not in self.away
        redis = PartHealth(ok=True, latency_ms=0.3) if redis_up else PartHealth(ok=False, detail="connection refused")
        return Health(
            status="ok" if redis_up else "degraded",
            version="0.1.0",
            uptime_s=11_000 + self._now_s,
            redis=redis,
            workers=PartHealth(ok=True),
            workers_alive=len(self._taken),
            models={"mock": PartHealth(ok=True), "digits": PartHealth(ok=True)},
        )

    def overview(self, *, latest: int = 100) -> Overview:
        """``GET /stats``."""
        oldest = self._waiting[0].record.created_at if self._waiting else None
        return Overview(
            taken_at=self._at(self._now_s),
            redis_ms=0.3,
            queue=QueueStats(
                name="default",
                depth=len(self._waiting),
                running=sum(self._taken),
                oldest_age_ms=(self._at(self._now_s) - oldest) / timedelta(milliseconds=1) if oldest else None,
            ),
            counts=[
                PredictionCount(model=model, mode=mode, status=status, count=count)
                for (model, mode, status), count in self._counts.items()
            ],
            latencies=[
                LatencyHistogram(model=model, mode=mode, kind=kind, bounds_ms=BOUNDS_MS, counts=counts[:], sum_ms=0)
                for (model, mode, kind), counts in self._latencies.items()
            ],
            workers=[self._worker(index) for index in range(len(self._taken))],
            latest=list(reversed(self._records.values()))[:latest],
        )

    def prediction(self, prediction_id: str) -> Prediction:
        """``GET /predict/{id}``."""
        record = self._records.get(prediction_id)
        if record is None:
            raise UnknownPrediction(prediction_id)
        shared = {name: getattr(record, name) for name in Prediction.__struct_fields__ if hasattr(record, name)}
        output = msgspec.json.decode(record.output_preview) if record.output_preview else None
        return Prediction(**shared, output=output)

    def _arrivals(self) -> None:
        t = self._now_s
        rate = 9 + 5 * math.sin(t / 19) + 4 * math.sin(t / 5.3)
        if (t + 10) % 58 < 5:
            rate += 45  # someone sends a batch
        expected = max(rate, 1) * STEP_S
        for _ in range(int(expected) + (self._random.random() < expected % 1)):
            self._submit()

    def _submit(self) -> None:
        rng = self._random
        self._serial += 1
        model, mode = rng.choices(("mock", "digits"), (3, 1))[0], rng.choices((Mode.ASYNC, Mode.SYNC), (5, 1))[0]
        given = rng.choice(TEXTS) if model == "mock" else [rng.randrange(17) for _ in range(64)]
        preview = msgspec.json.encode(given).decode()
        record = PredictionSummary(
            prediction_id=hashlib.sha256(f"zypher{self._serial}".encode()).hexdigest()[:32],
            status=Status.QUEUED,
            model=model,
            mode=mode,
            input_preview=f'{{"input":{preview}}}'[:200],
            created_at=self._at(self._now_s - rng.random() * STEP_S),
        )
        self._records[record.prediction_id] = record
        if len(self._records) > KEPT + len(self._waiting) + len(self._running):
            del self._records[next(iter(self._records))]
        run = _Run(record=record, duration_s=rng.lognormvariate(-1.35, 0.55))
        if mode is Mode.SYNC:
            self._start(run, worker=-1)
        else:
            self._waiting.append(run)

    def _claims(self) -> None:
        for worker, taken in enumerate(self._taken):
            for _ in range(min(self._slots - taken, len(self._waiting))):
                self._start(self._waiting.popleft(), worker=worker)

    def _start(self, run: _Run, *, worker: int) -> None:
        started = self._at(self._now_s)
        wait_ms = max((started - run.record.created_at) / timedelta(milliseconds=1), 0.4)
        name = f"api-{1:08x}" if worker < 0 else self._worker_id(worker)
        run.worker = worker
        run.record = self._keep(
            run.record, status=Status.RUNNING, attempts=1, started_at=started, wait_ms=wait_ms, worker=name
        )
        if worker >= 0:
            self._taken[worker] += 1
        self._serial += 1
        heapq.heappush(self._running, (self._now_s + run.duration_s, self._serial, run))

    def _finishes(self) -> None:
        while self._running and self._running[0][0] <= self._now_s:
            at_s, _, run = heapq.heappop(self._running)
            failed = self._random.random() < 0.03
            status = Status.FAILED if failed else Status.SUCCEEDED
            record = run.record
            digest = hashlib.sha256(record.input_preview.encode()).hexdigest()
            result = f'{{"digit":{int(digest[0], 16) % 10},"confidence":0.{int(digest[:3], 16) % 40 + 60}}}'
            if record.model == "mock":
                result = f'{record.input_preview[:-1]},"result":"{digest}"}}'[:200]
            record = self._keep(
                record,
                status=status,
                finished_at=self._at(at_s),
                run_ms=run.duration_s * 1000,
                output_preview="" if failed else result,
                error=PredictionFailure(code="model_error", message="ValueError: no digit in this image")
                if failed
                else None,
            )
            if run.worker >= 0:
                self._taken[run.worker] -= 1
                (self._failed if failed else self._done)[run.worker] += 1
            key = (record.model, record.mode, status)
            self._counts[key] = self._counts.get(key, 0) + 1
            wait_ms, run_ms = record.wait_ms or 0, run.duration_s * 1000
            for kind, ms in (("wait", wait_ms), ("run", run_ms), ("total", wait_ms + run_ms)):
                counts = self._latencies.setdefault((record.model, record.mode, kind), [0] * (len(BOUNDS_MS) + 1))
                counts[next((i for i, bound in enumerate(BOUNDS_MS) if ms <= bound), len(BOUNDS_MS))] += 1

    def _keep(self, record: PredictionSummary, **changes: object) -> PredictionSummary:
        changed = msgspec.structs.replace(record, **changes)
        if record.prediction_id in self._records:
            self._records[record.prediction_id] = changed
        return changed

    def _worker(self, index: int) -> WorkerStats:
        return WorkerStats(
            worker_id=self._worker_id(index),
            host=f"node-{index + 1}",
            pid=4242 + index * 3,
            version="0.1.0",
            models=["digits", "mock"],
            slots=self._slots,
            running=self._taken[index],
            succeeded=self._done[index],
            failed=self._failed[index],
            rss_bytes=84_000_000 + index * 3_100_000,
            started_at=START,
            seen_at=self._at(self._now_s - 0.4 * index),
        )

    @staticmethod
    def _worker_id(index: int) -> str:
        return hashlib.sha256(f"worker{index}".encode()).hexdigest()[:12]

    @staticmethod
    def _at(seconds: float) -> datetime:
        return START + timedelta(seconds=seconds)


class DemoSource:
    """One source of a ``DemoSystem`` that lives by ``clock_s`` (seconds since its start)."""

    def __init__(self, name: SourceName, system: DemoSystem, clock_s: Callable[[], float]) -> None:
        self.name = name
        self._system = system
        self._clock_s = clock_s

    async def read(self, *, overview: bool) -> Reading:
        """See ``Source``."""
        return self.read_at(self._clock_s(), overview=overview)

    def read_at(self, now_s: float, *, overview: bool) -> Reading:
        """What ``read`` says at that time."""
        system = self._system
        system.advance(now_s)
        if self.name in system.away:
            return Reading(source=self.name, at_s=now_s, error="connection refused")
        figures = overview and SourceName.REDIS not in system.away
        return Reading(
            source=self.name,
            at_s=now_s,
            latency_ms=1.2 if self.name is SourceName.API else 0.3,
            overview=system.overview() if figures else None,
            overview_error="Redis is away" if overview and not figures else None,
            health=system.health() if self.name is SourceName.API else None,
        )

    async def prediction(self, prediction_id: str) -> Prediction:
        """See ``Source``."""
        if self.name in self._system.away:
            raise SourceAway("connection refused")
        return self._system.prediction(prediction_id)

    async def page(self, *, before: str | None, limit: int) -> tuple[list[PredictionSummary], str | None]:
        """See ``Source``; there is one page."""
        del before
        return self._system.overview(latest=limit).latest, None

    async def summaries(self, prediction_ids: Sequence[str]) -> list[PredictionSummary]:
        """See ``Source``."""
        latest = self._system.overview(latest=KEPT).latest
        return [each for each in latest if each.prediction_id in prediction_ids]

    async def events(self, after_id: str | None) -> AsyncGenerator[list[Event]]:
        """See ``Source``: its readings bring all that happens."""
        del after_id
        await asyncio.Event().wait()
        yield []

    async def aclose(self) -> None:
        """See ``Source``."""
