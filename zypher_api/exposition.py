"""What ``GET /metrics`` shows, in the form that the scraper asks for."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from zypher_api.meter import BOUNDS_S
from zypher_jobs import metrics
from zypher_jobs.board import Reading
from zypher_jobs.contracts.stats import LatencyHistogram, Overview, Tallies
from zypher_jobs.metrics import Metric
from zypher_jobs.models.batch_counts import SIZE_BOUNDS, WAIT_BOUNDS_MS

Labels = Sequence[str]
WAIT_BOUNDS_S = [bound / 1000 for bound in WAIT_BOUNDS_MS]


class Snapshot(Collector):
    """Every metric at one instant; ``overview`` is ``None`` while Redis is away."""

    def __init__(self, reading: Reading, *, overview: Overview | None, tallies: Tallies | None, version: str) -> None:
        self._reading = reading
        self._overview = overview
        self._tallies = tallies
        self._version = version

    def collect(self) -> Iterator[Family]:
        """For ``prometheus_client``."""
        yield _gauge(metrics.BUILD, [((self._version,), 1)])
        yield from _processes(self._reading)
        for metric, of_all in _GAUGES:
            yield _gauge(metric, [(each, of_all(values)) for each, values in self._reading.gauges(metric.name).items()])
        for metric in (metrics.CACHE_USES, metrics.SHED, metrics.UNRECORDED, metrics.HTTP_REQUESTS):
            yield _counter(metric, [(each, sums[0]) for each, sums in self._reading.counters(metric.name).items()])
        for metric, bounds in _HISTOGRAMS:
            sums_of = self._reading.counters(metric.name)
            yield _histogram(metric, [(each, bounds, cells[:-1], cells[-1]) for each, cells in sums_of.items()])
        yield _gauge(metrics.REDIS_UP, [((), self._overview is not None)])
        if self._overview is not None:
            yield from _shared(self._overview)
        if self._tallies is not None:
            yield from _of_workers(self._tallies)


_HISTOGRAMS: tuple[tuple[Metric, Sequence[float]], ...] = (
    (metrics.BATCH_SIZE, SIZE_BOUNDS),
    (metrics.BATCH_WAIT, WAIT_BOUNDS_S),
    (metrics.HTTP_DURATION, BOUNDS_S),
)
_GAUGES: tuple[tuple[Metric, Callable[[Sequence[float]], float]], ...] = (
    (metrics.MODEL_READY, min),
    (metrics.BATCH_LIMIT, max),
    (metrics.BATCHER_WAITING, sum),
    (metrics.CACHE_BYTES, sum),
    (metrics.HTTP_RUNNING, sum),
)
"""And how the values of several processes make one."""


def write(snapshot: Snapshot, *, accept: str) -> tuple[bytes, str]:
    """The text and its Content-Type: OpenMetrics for a scraper that asks for it, else Prometheus' own."""
    registry = CollectorRegistry()
    registry.register(snapshot)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


def _processes(reading: Reading) -> Iterator[Family]:
    """Memory, processor time and descriptors of each API process: their sum would hide one that leaks."""
    families: dict[str, Family] = {}
    for lane, pid in reading.pids.items():
        for family in ProcessCollector(pid=partial(int, pid), registry=None).collect():
            labelled = families.setdefault(family.name, Family(family.name, family.documentation, family.type))
            for sample in family.samples:
                labelled.add_sample(sample.name, {"process": str(lane + 1)}, sample.value)
    yield from families.values()


def _shared(overview: Overview) -> Iterator[Family]:
    """What all processes share."""
    queue = overview.queue
    yield _gauge(metrics.REDIS_ROUND_TRIP, [((), overview.redis_ms / 1000)])
    yield _counter(metrics.PREDICTIONS, [((c.model, c.mode, c.status), c.count) for c in overview.counts])
    yield _gauge(metrics.QUEUE_DEPTH, [((queue.name,), queue.depth)])
    yield _gauge(metrics.QUEUE_OLDEST_AGE, [((queue.name,), (queue.oldest_age_ms or 0) / 1000)])
    yield _gauge(metrics.RUNNING, [((queue.name,), queue.running)])
    yield _counter(metrics.REFUSED, [((), overview.refused_finishes)])
    yield _gauge(metrics.WEBHOOKS_SUSPENDED, [((), overview.webhooks_suspended)])
    yield _gauge(metrics.WORKERS_ALIVE, [((), len(overview.workers))])
    for metric, kind in ((metrics.WAIT, "wait"), (metrics.RUN, "run"), (metrics.TOTAL, "total")):
        yield _histogram(metric, [_latency(h) for h in overview.latencies if h.kind == kind])


def _of_workers(tallies: Tallies) -> Iterator[Family]:
    """What all workers share."""
    batches = [((each.model, each.version), each) for each in tallies.batches]
    sizes = [(labels, SIZE_BOUNDS, _buckets(each.by_size, SIZE_BOUNDS), each.predictions) for labels, each in batches]
    yield _histogram(metrics.WORKER_BATCH_SIZE, sizes)
    waits = [
        (labels, WAIT_BOUNDS_S, _buckets(each.by_wait, WAIT_BOUNDS_S), each.waited_ms / 1000)
        for labels, each in batches
    ]
    yield _histogram(metrics.WORKER_BATCH_WAIT, waits)
    yield _counter(metrics.DELIVERIES, [((outcome,), count) for outcome, count in tallies.deliveries.items()])
    yield _gauge(metrics.DELIVERIES_PENDING, [((), tallies.deliveries_pending)])
    attempts = [
        ((each.outcome,), [bound / 1000 for bound in each.bounds_ms], each.counts, each.sum_ms / 1000)
        for each in tallies.attempts
    ]
    yield _histogram(metrics.DELIVERY_ATTEMPT, attempts)


def _buckets(counts: Mapping[int, int], bounds: Sequence[float]) -> list[int]:
    return [counts.get(bucket, 0) for bucket in range(len(bounds) + 1)]


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


def _histogram(metric: Metric, values: Iterable[tuple[Labels, Sequence[float], Sequence[float], float]]) -> Family:
    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, bounds, counts, total in values:
        names = [*(str(float(bound)) for bound in bounds), "+Inf"]
        family.add_metric(labels, list(zip(names, accumulate(counts), strict=True)), sum_value=total)
    return family
