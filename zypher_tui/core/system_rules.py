"""Rules about the parts: API and Redis, workers, dead letters, ends and predictions that came too late."""

from collections.abc import Iterable
from datetime import datetime

from zypher_jobs.contracts.stats import WorkerStats
from zypher_tui.core import formats
from zypher_tui.core.concerns import Facts, LinkRule, Rule, Scene, Signal, times
from zypher_tui.core.items import OPEN, RETRY, Screen, Severity, Target
from zypher_tui.core.queue_rules import QUEUE_RULES
from zypher_tui.core.readings import SourceName
from zypher_tui.core.view import Link, LinkView

SILENT_S, NEARLY_SILENT_S = 4.0, 2.5
"""Age of a heartbeat: its lease is about to end, or nearly so."""
DRAINING_S = 60.0
"""Longest that a worker drains before it is worth a look."""
WINDOW_S = 600.0
"""What "lately" means to counters that rarely move."""
SLOW_REDIS_MS, NEARLY_SLOW_REDIS_MS = 50.0, 20.0
GROWN, NEARLY_GROWN = 1.5, 1.25
"""How many times the memory of a worker was what it is now."""
GROWN_BYTES = 100_000_000
"""Less than this is nobody's trouble."""
WARMED_UP_S = 300.0
"""Until then a worker loads its models and grows as it should."""
LATE_ENDS, EXPIRED = 3, 5


def _away(facts: Facts) -> Iterable[Signal]:
    for link in facts.links:
        if link.link in (Link.REFUSING, Link.STRANGE):
            yield _barred(link)
        if link.link is not Link.AWAY:
            continue
        name = link.source.label
        lasting = f" for {formats.age_s(link.since_s)}" if link.since_s and link.since_s >= 1 else ""
        is_redis = link.source is SourceName.REDIS
        yield Signal(
            subject=name,
            over=True,
            severity=Severity.CRITICAL,
            sentence=f"{name} has been away{lasting}" + (f": {link.reason}." if link.reason else "."),
            advice=(
                "Synchronous predictions go on; nothing can be queued or read until it is back."
                if is_redis
                else "Look at its process or its address; what Redis knows is still shown."
            ),
            target=Target(screen=Screen.OVERVIEW),
            acts=(),
        )


def _barred(link: LinkView) -> Signal:
    return Signal(
        subject=link.source.label,
        over=True,
        severity=Severity.WARNING,
        sentence=f"{link.source.label} {link.link.value}: {link.reason}.",
        advice="Nothing can be done from here; what Redis knows is still shown.",
        target=Target(screen=Screen.OVERVIEW),
        acts=(),
    )


def _redis_slow(scene: Scene) -> Iterable[Signal]:
    took_ms = scene.overview.redis_ms
    if took_ms > NEARLY_SLOW_REDIS_MS:
        yield Signal(
            subject="Redis",
            over=took_ms > SLOW_REDIS_MS,
            severity=Severity.WARNING,
            sentence=f"Redis takes {formats.duration_ms(took_ms)} to answer a PING.",
            advice="Look for slow commands (SLOWLOG), swapping or a full disk on its machine.",
            target=Target(screen=Screen.OVERVIEW),
            acts=(),
        )


def _no_worker(scene: Scene) -> Iterable[Signal]:
    overview = scene.overview
    if overview.workers:
        return
    waiting = overview.queue.depth
    yield Signal(
        subject="workers",
        over=True,
        severity=Severity.CRITICAL if waiting else Severity.WARNING,
        sentence=(
            f"No worker is alive and {times(waiting, 'prediction')} {'waits' if waiting == 1 else 'wait'}."
            if waiting
            else "No worker is alive: what is queued now will wait."
        ),
        advice="Start one: zypher worker",
        target=Target(screen=Screen.WORKERS),
    )


def _worker_lost(scene: Scene) -> Iterable[Signal]:
    for each in scene.trends.gone():
        worker = each.worker
        if worker.draining:
            continue
        held = f" with {worker.running:,} running" if worker.running else ", idle"
        yield Signal(
            subject=worker.worker_id,
            over=True,
            severity=Severity.WARNING if worker.running else Severity.NOTICE,
            sentence=f"Worker {worker.worker_id} ({worker.host}) was lost{held}.",
            advice=(
                "Others take over what it held; read its log for why." if worker.running else "Read its log for why."
            ),
            target=Target(screen=Screen.WORKERS, worker_id=worker.worker_id),
        )


def _worker_silent(scene: Scene) -> Iterable[Signal]:
    for worker in scene.overview.workers:
        silent_s = (scene.overview.taken_at - worker.seen_at).total_seconds()
        if silent_s > NEARLY_SILENT_S:
            yield _of_worker(
                worker,
                over=silent_s > SILENT_S,
                sentence=f"Worker {worker.worker_id} has said nothing for {formats.age_s(silent_s)}.",
                advice="Its machine may be overloaded or frozen; others take over when its leases end.",
            )


def _worker_draining(scene: Scene) -> Iterable[Signal]:
    for worker in scene.overview.workers:
        if worker.draining and worker.running:
            yield _of_worker(
                worker,
                over=True,
                sentence=f"Worker {worker.worker_id} still drains: {times(worker.running, 'prediction')} left.",
                advice="Cancel them, or end the process: others take them over.",
            )


def _memory(scene: Scene) -> Iterable[Signal]:
    now_at = scene.overview.taken_at
    for worker in scene.overview.workers:
        before, since_s = _settled_memory(scene, worker, now_at)
        grown = worker.rss_bytes - before
        if not before or grown < GROWN_BYTES or worker.rss_bytes < before * NEARLY_GROWN:
            continue
        yield _of_worker(
            worker,
            over=worker.rss_bytes >= before * GROWN,
            sentence=(
                f"Worker {worker.worker_id} grew from {formats.size_bytes(before)} to "
                f"{formats.size_bytes(worker.rss_bytes)} in {formats.age_s(since_s)}."
            ),
            advice="A model may keep what it should let go; restart it before its machine runs full.",
            baseline=float(before),
        )


def _settled_memory(scene: Scene, worker: WorkerStats, now_at: datetime) -> tuple[int, float]:
    """What it had at the earliest moment that is known since it had warmed up, and how long ago that was."""
    age_s = (now_at - worker.started_at).total_seconds()
    now_s = scene.trends.now.at_s
    for moment in scene.trends.moments:
        ago_s = now_s - moment.at_s
        if worker.worker_id in moment.memory and age_s - ago_s >= WARMED_UP_S:
            kept = scene.baselines.get(worker.worker_id)
            return int(kept) if kept is not None else moment.memory[worker.worker_id], ago_s
    return 0, 0.0


def _dead_letters_grew(scene: Scene) -> Iterable[Signal]:
    now, before = scene.trends.now, scene.trends.within(WINDOW_S)
    grown = now.dead_letters - min(before.dead_letters, now.dead_letters) if before else 0
    if before is None or grown <= 0:
        return
    over = formats.age_s(now.at_s - before.at_s)
    are_all = grown == now.dead_letters
    yield Signal(
        subject="dead letters",
        over=True,
        severity=Severity.WARNING,
        sentence=(
            f"{times(grown, 'dead letter')} in {over}."
            if are_all
            else f"{times(grown, 'more dead letter')} in {over}, {now.dead_letters:,} in all."
        ),
        advice="Read what they fail with, mend that, then retry them.",
        target=Target(screen=Screen.DEAD_LETTERS, filter="status:failed"),
        acts=(OPEN, RETRY),
    )


def _dead_letters(scene: Scene) -> Iterable[Signal]:
    count = scene.overview.dead_letters
    if not count or any(_dead_letters_grew(scene)):
        return
    yield Signal(
        subject="dead letters",
        over=True,
        severity=Severity.NOTICE,
        sentence=f"{times(count, 'dead letter')} {'waits' if count == 1 else 'wait'} for somebody to decide.",
        advice="Retry what is mended, drop the rest.",
        target=Target(screen=Screen.DEAD_LETTERS, filter="status:failed"),
        acts=(OPEN, RETRY),
    )


def _webhooks_suspended(scene: Scene) -> Iterable[Signal]:
    count = scene.overview.webhooks_suspended
    if count:
        yield Signal(
            subject="webhooks",
            over=True,
            severity=Severity.WARNING,
            sentence=f"{times(count, 'webhook')} {'is' if count == 1 else 'are'} suspended: "
            f"{'its receiver has' if count == 1 else 'their receivers have'} failed too long, and nothing is tried.",
            advice='GET /webhooks says which. Mend the receiver, then PATCH the webhook with {"disabled": false}.',
            target=Target(screen=Screen.OVERVIEW),
            acts=(),
        )


def _late_ends(scene: Scene) -> Iterable[Signal]:
    now, before = scene.trends.now, scene.trends.within(WINDOW_S)
    grown = now.refused - before.refused if before else 0
    if before is not None and grown > 0:
        yield Signal(
            subject="late ends",
            over=grown >= LATE_ENDS,
            severity=Severity.WARNING,
            sentence=f"{times(grown, 'end')} came too late in {formats.age_s(now.at_s - before.at_s)} and "
            f"{'was' if grown == 1 else 'were'} refused: another worker held the lease.",
            advice="Workers stall for longer than their lease: lower ZYPHER_CONCURRENCY or raise ZYPHER_LEASE_S.",
            target=Target(screen=Screen.WORKERS),
        )


def _expired(scene: Scene) -> Iterable[Signal]:
    now, before = scene.trends.now, scene.trends.within(WINDOW_S)
    grown = now.expired - before.expired if before else 0
    if before is not None and grown > 0:
        yield Signal(
            subject="expired",
            over=grown >= EXPIRED,
            severity=Severity.WARNING,
            sentence=f"{times(grown, 'prediction')} expired in {formats.age_s(now.at_s - before.at_s)}: "
            "their deadlines passed while they waited.",
            advice="More workers, or a higher priority for what is urgent.",
            target=Target(screen=Screen.PREDICTIONS, filter="status:expired"),
        )


def _of_worker(worker: WorkerStats, *, over: bool, sentence: str, advice: str, baseline: float | None = None) -> Signal:
    return Signal(
        subject=worker.worker_id,
        over=over,
        severity=Severity.WARNING,
        sentence=sentence,
        advice=advice,
        target=Target(screen=Screen.WORKERS, worker_id=worker.worker_id),
        baseline=baseline,
    )


LINK_RULES: tuple[LinkRule, ...] = (LinkRule(name="away", check=_away, appears_s=2.0, lingers_s=3.0),)
SYSTEM_RULES: tuple[Rule, ...] = (
    Rule(name="no worker", check=_no_worker, appears_s=3.0, lingers_s=3.0),
    Rule(name="worker lost", check=_worker_lost),
    Rule(name="worker silent", check=_worker_silent, lingers_s=5.0),
    Rule(name="worker draining", check=_worker_draining, appears_s=DRAINING_S, lingers_s=3.0),
    *QUEUE_RULES,
    Rule(name="late ends", check=_late_ends),
    Rule(name="expired", check=_expired),
    Rule(name="dead letters grew", check=_dead_letters_grew),
    Rule(name="dead letters", check=_dead_letters),
    Rule(name="webhooks suspended", check=_webhooks_suspended),
    Rule(name="memory", check=_memory, appears_s=30.0),
    Rule(name="redis slow", check=_redis_slow, appears_s=5.0),
)
"""Among equals, the first is shown first."""
