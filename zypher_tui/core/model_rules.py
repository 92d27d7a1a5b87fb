"""Rules about models: not ready, failing more than before, slower than before, answering unlike their shadow."""

from collections.abc import Iterable

import msgspec

from zypher_jobs.contracts.prediction import Mode, Status
from zypher_tui.core import errors, formats
from zypher_tui.core.concerns import Rule, Scene, Signal, term, times
from zypher_tui.core.errors import ErrorGroup
from zypher_tui.core.intervals import wilson
from zypher_tui.core.items import OPEN, RETRY, Screen, Severity, Target
from zypher_tui.core.latencies import Percentile, Tally
from zypher_tui.core.readings import ending
from zypher_tui.core.rows import Row, ms_of

ENOUGH, FEWEST_FAILED = 20, 5
"""Ended predictions that a share is taken of, and failed ones that make it one to speak of."""
ROWS_LOOKED_AT, ROWS_USED = 2_000, 40
RECENT_MS = 900_000
"""Older rows say nothing about now."""
MUCH, NEARLY_MUCH = 0.5, 0.4
"""A share of failures that is too high, whatever it used to be."""
JUMP, NEARLY_JUMP = 3.0, 1.5
"""How many times the earlier share it is."""
LEAST_SHARE, NEARLY_LEAST_SHARE = 0.05, 0.025
SLOWER, NEARLY_SLOWER = 2.0, 1.4
LEAST_SLOWER_MS = 100.0
"""Slower by less than that is nobody's trouble."""
ENOUGH_TIMES, ENOUGH_EARLIER_TIMES = 40, 100
TIMES_WINDOW_S = 120.0
DIFFERENT, NEARLY_DIFFERENT = 0.05, 0.03
ENOUGH_COMPARED = 50
NO_EARLIER = -1.0
"""The baseline of what failed from the first look on."""


class Failures(msgspec.Struct, frozen=True, kw_only=True):
    """How many of the last predictions of a model failed."""

    failed: int
    ended: int
    earlier: float | None
    """The share before those; ``None``: too few ended to say."""

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.failed / self.ended if self.ended else 0.0


def _unready(scene: Scene) -> Iterable[Signal]:
    health = scene.facts.health
    if health is None:
        return
    for name, part in health.models.items():
        if not part.ok:
            why = ending(part.detail or "") or "not ready"
            yield Signal(
                subject=name,
                over=True,
                severity=Severity.CRITICAL,
                sentence=f"Model {name} {why}.",
                advice="Until it is ready, its predictions wait or fail; the log of the API says more.",
                target=Target(screen=Screen.MODELS, filter=term("model", name), model=name),
            )


def _failing(scene: Scene) -> Iterable[Signal]:
    by_model = _recent_rows(scene)
    for model in scene.trends.now.ended.keys() | by_model.keys():
        rows = by_model.get(model, [])
        found = _counted(scene, model) or _in_rows(rows)
        if found is None or found.failed < FEWEST_FAILED:
            continue
        kept = scene.baselines.get(model)
        earlier = found.earlier if kept is None else kept
        if not _is_failing(found, earlier, nearly=True):
            continue
        worst = next(iter(errors.group(row for row in rows if row.status is Status.FAILED)), None)
        yield Signal(
            subject=model,
            over=_is_failing(found, earlier, nearly=False),
            severity=Severity.CRITICAL if found.share >= MUCH else Severity.WARNING,
            sentence=_failing_sentence(model, found, earlier, worst),
            advice="Open one and read why; mend the input or the model, then retry.",
            target=_failing_target(model, worst),
            acts=(OPEN, RETRY),
            baseline=NO_EARLIER if earlier is None else earlier,
        )


def _is_failing(found: Failures, earlier: float | None, *, nearly: bool) -> bool:
    if found.share >= (NEARLY_MUCH if nearly else MUCH):
        return True
    if earlier is None or found.share < (NEARLY_LEAST_SHARE if nearly else LEAST_SHARE):
        return False
    if nearly:
        return found.share >= earlier * NEARLY_JUMP
    return found.share >= earlier * JUMP and wilson(found.failed, found.ended).low > earlier


def _failing_sentence(model: str, found: Failures, earlier: float | None, worst: ErrorGroup | None) -> str:
    before = "" if earlier is None or earlier < 0 else f" ({formats.share(earlier)} before)"
    why = f": {worst.label}" if worst else ""
    return f"{model}: {found.failed:,} of the last {times(found.ended, 'prediction')} failed{before}{why}"


def _failing_target(model: str, worst: ErrorGroup | None) -> Target:
    text = f"status:failed {term('model', model)}"
    if worst and worst.fingerprint != worst.code:
        text += f" {term('fingerprint', worst.fingerprint)}"
    return Target(screen=Screen.PREDICTIONS, filter=text, model=model)


def _counted(scene: Scene, model: str) -> Failures | None:
    """By the counters: back to the newest moment since which enough ended."""
    ended, failed = scene.trends.now.ended.get(model, (0, 0))
    for moment in scene.trends.back():
        before_ended, before_failed = moment.ended.get(model, (0, 0))
        if ended - before_ended >= ENOUGH:
            earlier = before_failed / before_ended if before_ended >= ENOUGH else None
            return Failures(failed=failed - before_failed, ended=ended - before_ended, earlier=earlier)
    return None


def _recent_rows(scene: Scene) -> dict[str, list[Row]]:
    """Model → what ended lately, newest first."""
    until_ms = ms_of(scene.overview.taken_at)
    found: dict[str, list[Row]] = {}
    for row in errors.newest(scene.facts.rows, most=ROWS_LOOKED_AT):
        if row.finished_ms is not None and until_ms - RECENT_MS <= row.finished_ms and row.model:
            found.setdefault(row.model, []).append(row)
    return found


def _in_rows(rows: list[Row]) -> Failures | None:
    """By the last rows, where the counters were not watched for long enough.

    Of synchronous predictions a server may keep those alone that failed: they would make every share 1.
    """
    ended = [row for row in rows if row.mode is Mode.ASYNC][:ROWS_USED]
    if len(ended) < ENOUGH:
        return None
    return Failures(failed=sum(row.status is Status.FAILED for row in ended), ended=len(ended), earlier=None)


def _slower(scene: Scene) -> Iterable[Signal]:
    for (model, kind), now in scene.trends.now.times.items():
        subject = f"{model} {kind}"
        recent, before = _halves(scene, model, kind, now)
        if recent is None or (earlier_ms := scene.baselines.get(subject, before)) is None:
            continue
        if recent.ms < earlier_ms * NEARLY_SLOWER or recent.ms - earlier_ms < LEAST_SLOWER_MS / 2:
            continue
        verb = "waits" if kind == "wait" else "runs"
        yield Signal(
            subject=subject,
            over=recent.ms >= earlier_ms * SLOWER and recent.ms - earlier_ms >= LEAST_SLOWER_MS,
            severity=Severity.WARNING,
            sentence=(
                f"{model} {verb} for {'>' if recent.beyond else ''}{formats.duration_ms(recent.ms)} (p95), "
                f"{formats.duration_ms(earlier_ms)} before."
            ),
            advice=(
                "More workers, or look at what fills the queue."
                if kind == "wait"
                else "Look at the slow ones: larger inputs, a new version, or a machine that is full."
            ),
            target=Target(
                screen=Screen.PREDICTIONS,
                filter=f"{term('model', model)} {kind}>{max(round(earlier_ms), 1)}ms",
                model=model,
            ),
            baseline=earlier_ms,
        )


def _halves(scene: Scene, model: str, kind: str, now: Tally) -> tuple[Percentile | None, float | None]:
    """p95 of the last minutes, and of all before; ``None`` where too few were timed."""
    then = scene.trends.ago(TIMES_WINDOW_S)
    before = then.times.get((model, kind)) if then else None
    if before is None:
        return None, None
    recent = now.since(before)
    if recent.count < ENOUGH_TIMES:
        return None, None
    earlier = before.percentile(0.95) if before.count >= ENOUGH_EARLIER_TIMES else None
    return recent.percentile(0.95), earlier.ms if earlier and earlier.ms > 0 else None


def _unlike_its_shadow(scene: Scene) -> Iterable[Signal]:
    for model, pairs in scene.facts.shadows.items():
        for pair in pairs:
            compared = pair.same + pair.different
            share = pair.different / compared if compared else 0.0
            if compared < ENOUGH_COMPARED or share < NEARLY_DIFFERENT:
                continue
            yield Signal(
                subject=f"{model} {pair.shadow}",
                over=share >= DIFFERENT,
                severity=Severity.NOTICE,
                sentence=(
                    f"{model}: its shadow {pair.shadow} answered unlike {pair.live} in "
                    f"{formats.share(share)} of {compared:,}."
                ),
                advice="Compare some of both before it goes live.",
                target=Target(screen=Screen.MODELS, filter=term("model", model), model=model),
            )


MODEL_RULES: tuple[Rule, ...] = (
    Rule(name="not ready", check=_unready, lingers_s=3.0),
    Rule(name="failing", check=_failing, lingers_s=30.0),
    Rule(name="slower", check=_slower, appears_s=10.0, lingers_s=30.0, usual_after_s=1800.0),
    Rule(name="shadow", check=_unlike_its_shadow),
)
