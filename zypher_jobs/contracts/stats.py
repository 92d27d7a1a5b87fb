"""Figures of the running system, as the API, the dashboard and ``zypher top`` share them."""

from datetime import datetime

import msgspec

from zypher_jobs.contracts.prediction import Mode, PredictionSummary, Priority, Status


class QueueStats(msgspec.Struct, frozen=True, kw_only=True):
    """One queue at one instant."""

    name: str
    depth: int
    """Predictions that wait."""
    running: int
    """Predictions under a live lease."""
    oldest_age_ms: float | None = None
    """How long the oldest waiting prediction has waited; ``None`` when none waits."""
    paused: bool = False
    """Whether workers leave it alone until it is resumed."""
    ended_per_s: float | None = None
    """Predictions of it that ended, over the last 20 to 30 s; ``None``: an older version did not say."""


class ModelLine(msgspec.Struct, frozen=True, kw_only=True):
    """What waits for one model, of those that are first in line."""

    model: str
    waiting: int
    oldest_age_ms: float


class QueueState(msgspec.Struct, frozen=True, kw_only=True):
    """One queue, as operators see it."""

    queue: Priority
    depth: int
    """Predictions that wait."""
    running: int
    """Predictions under a lease, and those that are deferred to a later time."""
    oldest_age_ms: float | None = None
    """How long the oldest of those first in line has waited; ``None`` when none waits."""
    paused: bool
    """Whether workers leave it alone until it is resumed."""
    ended_per_s: float
    """Predictions of it that ended, over the last 20 s."""
    drain_s: float | None
    """Until all that wait have ended, at that rate; ``None``: it is paused, or nothing ended lately."""
    models: list[ModelLine]
    """What waits by model, of the first ``sampled`` in line."""
    sampled: int


class WorkerStats(msgspec.Struct, frozen=True, kw_only=True):
    """One worker's last heartbeat."""

    worker_id: str
    host: str
    pid: int
    version: str
    models: list[str]
    slots: int
    """Predictions it runs at once."""
    running: int
    succeeded: int
    failed: int
    rss_bytes: int
    started_at: datetime
    seen_at: datetime
    draining: bool = False


class PredictionCount(msgspec.Struct, frozen=True, kw_only=True):
    """Predictions that ended, since the counters were last empty."""

    model: str
    mode: Mode
    status: Status
    count: int


class LatencyHistogram(msgspec.Struct, frozen=True, kw_only=True):
    """Times of finished predictions of one model, of one ``kind``.

    ``counts[i]`` holds those at most ``bounds_ms[i]`` and above the bound before; the last count holds the rest,
    so there is one count more than bounds.
    """

    model: str
    mode: Mode
    kind: str
    """``wait`` (created → started), ``run`` (started → finished) or ``total`` (created → finished).

    One that nothing has counted is absent: ``total`` may be where an older worker counts.
    """
    bounds_ms: list[float]
    counts: list[int]
    sum_ms: float


class BatchTally(msgspec.Struct, frozen=True, kw_only=True):
    """Batches of one version in all workers that there were, by the number of their bucket in ``BatchCounts``."""

    model: str
    version: str
    by_size: dict[int, int]
    predictions: int
    by_wait: dict[int, int]
    waited_ms: int


class AttemptTally(msgspec.Struct, frozen=True, kw_only=True):
    """POSTs to the receivers of webhooks, in the buckets of ``LatencyHistogram``."""

    outcome: str
    """``succeeded`` or ``failed``."""
    bounds_ms: list[float]
    counts: list[int]
    sum_ms: float


class Tallies(msgspec.Struct, frozen=True, kw_only=True):
    """What workers count beside predictions, since the counters were last empty."""

    batches: list[BatchTally]
    deliveries: dict[str, int]
    """By how they ended: ``delivered``, ``failed``, ``refused``."""
    deliveries_pending: int
    attempts: list[AttemptTally]


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """The whole system at one instant: what one refresh of the dashboard reads."""

    taken_at: datetime
    redis_ms: float
    """Round trip of one PING."""
    queue: QueueStats
    """All queues as one."""
    queues: list[QueueStats] = []
    """One for each priority, highest first."""
    ended_per_s: float = 0.0
    """Queued predictions that ended, over the last 20 to 30 s."""
    dead_letters: int = 0
    refused_finishes: int = 0
    """Ends that came too late: somebody else held the lease by then, or the prediction had ended."""
    webhooks_suspended: int = 0
    """Registered webhooks whose deliveries fail at once: their receivers have failed too long."""
    counts: list[PredictionCount]
    latencies: list[LatencyHistogram]
    workers: list[WorkerStats]
    """Alive ones only, by id."""
    latest: list[PredictionSummary]
    """Newest first."""


class PartHealth(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the system: ``ok`` and, if it is not, one sentence that says why and what to do."""

    ok: bool
    detail: str | None = None
    latency_ms: float | None = None


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """``GET /health``: each part by name. Holds no secret and no address."""

    status: str
    """``ok``, ``degraded`` (answers, but a part is away) or ``unavailable``."""
    version: str
    uptime_s: float
    redis: PartHealth
    workers: PartHealth
    workers_alive: int
    models: dict[str, PartHealth]
