"""Rules about queues: paused, growing, waiting for too long."""

from collections.abc import Iterable

from zypher_jobs.contracts.stats import QueueStats
from zypher_tui.core import formats
from zypher_tui.core.concerns import Rule, Scene, Signal, times
from zypher_tui.core.items import OPEN, RESUME, Screen, Severity, Target
from zypher_tui.core.queue_rows import Drain, drain_of, filter_of, queues_of

WINDOW_S = 60.0
"""What growth is measured over."""
BACKLOG, LITTLE = 20, 10
"""So many waiting are a backlog; fewer than the other are none."""
OLDEST_MS, NEARLY_OLDEST_MS = 60_000.0, 30_000.0
LONG_DRAIN_S, NEARLY_LONG_DRAIN_S = 300.0, 120.0


def _paused(scene: Scene) -> Iterable[Signal]:
    for queue in queues_of(scene.overview):
        if not queue.paused:
            continue
        waiting = (
            f": {times(queue.depth, 'prediction')} {'waits' if queue.depth == 1 else 'wait'}." if queue.depth else "."
        )
        yield Signal(
            subject=queue.name,
            over=True,
            severity=Severity.WARNING if queue.depth else Severity.NOTICE,
            sentence=f"Queue {queue.name} is paused{waiting}",
            advice="Resume it when what it was paused for is done.",
            target=Target(screen=Screen.PREDICTIONS, filter=filter_of(queue), queue=queue.name),
            acts=(OPEN, RESUME),
        )


def _backlog(scene: Scene) -> Iterable[Signal]:
    """What waits for workers that are there. Of a paused queue, or with no worker, others speak."""
    if not scene.overview.workers:
        return
    for queue in queues_of(scene.overview):
        if queue.paused or queue.depth == 0:
            continue
        drain = _drain(scene, queue)
        oldest_ms = queue.oldest_age_ms or 0.0
        if not _is_much(queue, drain, oldest_ms, nearly=True):
            continue
        yield Signal(
            subject=queue.name,
            over=_is_much(queue, drain, oldest_ms, nearly=False),
            severity=Severity.WARNING,
            sentence=_backlog_sentence(queue, drain, oldest_ms),
            advice="More workers (ZYPHER_WORKERS), more at once (ZYPHER_CONCURRENCY), or fewer callers.",
            target=Target(screen=Screen.PREDICTIONS, filter=filter_of(queue), queue=queue.name),
        )


def _is_much(queue: QueueStats, drain: Drain, oldest_ms: float, *, nearly: bool) -> bool:
    if oldest_ms > (NEARLY_OLDEST_MS if nearly else OLDEST_MS):
        return True
    if queue.depth < (LITTLE if nearly else BACKLOG):
        return False
    empty_s = drain.empty_s
    if empty_s is None or empty_s > (NEARLY_LONG_DRAIN_S if nearly else LONG_DRAIN_S):
        return True
    grown = drain.growth_per_s * WINDOW_S
    return grown > (0 if nearly else max(queue.depth / 4, BACKLOG))


def _backlog_sentence(queue: QueueStats, drain: Drain, oldest_ms: float) -> str:
    parts = [f"Queue {queue.name}: {times(queue.depth, 'waits', 'wait')}"]
    if drain.growth_per_s >= 0.05:
        parts[0] += f", {formats.rate(drain.growth_per_s)} more each second"
    if oldest_ms:
        parts.append(f"the oldest for {formats.duration_ms(oldest_ms)}")
    if drain.empty_s is None:
        parts.append("nothing ends")
    elif drain.empty_s >= 1:
        parts.append(f"{formats.age_s(drain.empty_s)} of work at the present rate")
    return "; ".join(parts) + "."


def _drain(scene: Scene, queue: QueueStats) -> Drain:
    """With its growth over the last minute."""
    now, before = scene.trends.now, scene.trends.within(WINDOW_S)
    grown, seconds = 0, 0.0
    if before is not None and queue.name in before.depths:
        grown, seconds = queue.depth - before.depths[queue.name], now.at_s - before.at_s
    return drain_of(scene.overview, queue, growth_per_s=grown / max(seconds, WINDOW_S / 2) if grown else 0.0)


QUEUE_RULES: tuple[Rule, ...] = (
    Rule(name="paused", check=_paused, lingers_s=0.0),
    Rule(name="backlog", check=_backlog, appears_s=5.0),
)
