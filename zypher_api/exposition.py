"""What ``GET /metrics`` shows, in the form that the scraper asks for."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from zypher_api.gate import Gate
from zypher_api.meter import HttpMeter
from zypher_jobs import metrics
from zypher_jobs.contracts.stats import LatencyHistogram, Overview
from zypher_jobs.metrics import Metric
from zypher_jobs.models import ServedModel
from zypher_jobs.models.batch_counts import SIZE_BOUNDS

Labels = Sequence[str]


class Snapshot(Collector):
    """Every metric at one instant; ``overview`` is ``None`` while Redis is away."""

    def __init__(
        self,
        *,
        meter: HttpMeter,
        gate: Gate,
        overview: Overview | None,
        models: Sequence[ServedModel],
        unrecorded: int,
        version: str,
    ) -> None:
        self._meter = meter
        self._gate = gate
        self._overview = overview
        self._models = models
        self._unrecorded = unrecorded
        self._version = version

    def collect(self) -> Iterator[Family]:
        """For ``prometheus_client``."""
        yield _gauge(metrics.BUILD, [((self._version,), 1)])
        yield _gauge(metrics.MODEL_READY, [((model.name, model.version), model.ready) for model in self._models])
        yield from _batches(self._models)
        yield from _caches(self._models)
        doors = [((model.name, model.version), model.door) for model in self._models]
        doors.append((("", ""), self._gate.door))
        yield _counter(
            metrics.SHED, [((*labels, reason), n) for labels, door in doors for reason, n in door.refused.items()]
        )
        yield _counter(metrics.UNRECORDED, [((), self._unrecorded)])
        yield _gauge(metrics.HTTP_RUNNING, [((), self._meter.running)])
        statuses = self._meter.statuses()
        yield _counter(metrics.HTTP_REQUESTS, [((m, route, str(status)), n) for (m, route, status), n in statuses])
        yield _histogram(
            metrics.HTTP_DURATION,
            [
                (labels, metrics.HTTP_DURATION.buckets_s, durations.counts, durations.sum_s)
                for labels, durations in self._meter.durations()
            ],
        )
        yield _gauge(metrics.REDIS_UP, [((), self._overview is not None)])
        if self._overview is not None:
            yield from _shared(self._overview)


def write(snapshot: Snapshot, *, accept: str) -> tuple[bytes, str]:
    """The text and its Content-Type: OpenMetrics for a scraper that asks for it, else Prometheus' own."""
    registry = CollectorRegistry()
    registry.register(snapshot)
    ProcessCollector(registry=registry)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


def _batches(models: Sequence[ServedModel]) -> Iterator[Family]:
    """Of the models whose predictions meet in a batcher."""
    batchers = [((model.name, model.version), model.batcher) for model in models if model.batcher is not None]
    yield _histogram(
        metrics.BATCH_SIZE,
        [(labels, SIZE_BOUNDS, batcher.counts.by_size, batcher.counts.predictions) for labels, batcher in batchers],
    )
    yield _gauge(metrics.BATCH_LIMIT, [(labels, batcher.limit) for labels, batcher in batchers])
    yield _gauge(metrics.BATCHER_WAITING, [(labels, batcher.waiting) for labels, batcher in batchers])


def _caches(models: Sequence[ServedModel]) -> Iterator[Family]:
    """Of the models that have one."""
    caches = [((model.name, model.version), model.cache) for model in models if model.cache is not None]
    yield _counter(
        metrics.CACHE_USES, [((*labels, use), count) for labels, cache in caches for use, count in cache.uses.items()]
    )
    yield _gauge(metrics.CACHE_BYTES, [(labels, cache.size) for labels, cache in caches])


def _shared(overview: Overview) -> Iterator[Family]:
    """What all processes share."""
    queue = overview.queue
    yield _gauge(metrics.REDIS_ROUND_TRIP, [((), overview.redis_ms / 1000)])
    yield _counter(metrics.PREDICTIONS, [((c.model, c.mode, c.status), c.count) for c in overview.counts])
    yield _gauge(metrics.QUEUE_DEPTH, [((queue.name,), queue.depth)])
    yield _gauge(metrics.QUEUE_OLDEST_AGE, [((queue.name,), (queue.oldest_age_ms or 0) / 1000)])
    yield _gauge(metrics.RUNNING, [((queue.name,), queue.running)])
    yield _counter(metrics.REFUSED, [((), overview.refused_finishes)])
    yield _gauge(metrics.WORKERS_ALIVE, [((), len(overview.workers))])
    for metric, kind in ((metrics.WAIT, "wait"), (metrics.RUN, "run"), (metrics.TOTAL, "total")):
        yield _histogram(metric, [_latency(h) for h in overview.latencies if h.kind == kind])


def _latency(histogram: LatencyHistogram) -> tuple[Labels, Sequence[float], Sequence[int], float]:
    bounds_s = [bound / 1000 for bound in histogram.bounds_ms]
    return (histogram.model, histogram.mode), bounds_s, histogram.counts, histogram.sum_ms / 1000


def _gauge(metric: Metric, values: Iterable[tuple[Labels, float]]) -> Family:
    family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, value in values:
        family.add_metric(labels, value)
    return family


def _counter(metric: Metric, values: Iterable[tuple[Labels, float]]) -> Family:
    family = CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, value in values:
        family.add_metric(labels, value)
    return family


def _histogram(metric: Metric, values: Iterable[tuple[Labels, Sequence[float], Sequence[int], float]]) -> Family:
    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, bounds, counts, total in values:
        names = [*(str(float(bound)) for bound in bounds), "+Inf"]
        family.add_metric(labels, list(zip(names, accumulate(counts), strict=True)), sum_value=total)
    return family
