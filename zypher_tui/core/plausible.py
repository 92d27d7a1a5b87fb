"""Whether what a file says can be shown: times that have a zone and a year of ours, numbers that somebody could count.

A source that answers is trusted with that; a file comes from anywhere, and one time without a zone would end the
dashboard.
"""

from datetime import datetime

from zypher_jobs.contracts.event import Event
from zypher_jobs.contracts.prediction import PredictionSummary
from zypher_jobs.contracts.stats import Health, LatencyHistogram, Overview, PredictionCount, QueueStats, WorkerStats

MOST = 2.0**53
YEARS = range(1970, 2200)


class Implausible(ValueError):
    """The message says what cannot be."""


def check_summary(row: PredictionSummary) -> None:
    """Raises ``Implausible``."""
    _times(row.created_at, row.started_at, row.finished_at)
    _numbers(row.attempts, row.progress, row.wait_ms, row.run_ms)


def check_event(event: Event) -> None:
    """Raises ``Implausible``."""
    if event.at.tzinfo is None or event.at.year not in YEARS or not 0 <= event.attempt <= MOST:  # there are very many
        raise Implausible("an event of another age")


def check_health(health: Health) -> None:
    """Raises ``Implausible``."""
    _numbers(health.uptime_s, health.workers_alive, health.redis.latency_ms, health.workers.latency_ms)


def check_overview(overview: Overview) -> None:
    """Raises ``Implausible``."""
    _times(overview.taken_at)
    _numbers(overview.redis_ms, overview.ended_per_s, overview.dead_letters, overview.refused_finishes)
    _numbers(overview.webhooks_suspended)
    for queue in (overview.queue, *overview.queues):
        _queue(queue)
    for counter in (*overview.counts, *overview.latencies):
        check_counter(counter)
    for worker in overview.workers:
        _worker(worker)


def check_counter(counter: PredictionCount | LatencyHistogram) -> None:
    """Raises ``Implausible``."""
    if isinstance(counter, PredictionCount):
        _numbers(counter.count)
        return
    if len(counter.counts) != len(counter.bounds_ms) + 1:
        raise Implausible("a histogram with the wrong number of counts")
    least = min(counter.sum_ms, *counter.counts, *counter.bounds_ms)  # there are very many: not one by one
    most = max(counter.sum_ms, *counter.counts, *counter.bounds_ms)
    _numbers(least, most)


def _queue(queue: QueueStats) -> None:
    _numbers(queue.depth, queue.running, queue.oldest_age_ms)


def _worker(worker: WorkerStats) -> None:
    _times(worker.started_at, worker.seen_at)
    _numbers(worker.pid, worker.slots, worker.running, worker.succeeded, worker.failed, worker.rss_bytes)


def _times(*times: datetime | None) -> None:
    for each in times:
        if each is not None and (each.tzinfo is None or each.year not in YEARS):
            raise Implausible("a time without a zone, or of another age")


def _numbers(*numbers: float | None) -> None:
    for number in numbers:
        if number is not None and not 0 <= number <= MOST:
            raise Implausible("a number that nothing can have")
