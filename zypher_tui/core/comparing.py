"""How versions of a model do, out of the last rows, and what two of them differ in: no more than the figures bear out.

A difference of two percentiles has an interval by the bootstrap (B. Efron, 1979): what a resample of ``n`` times has at
rank ``k`` is the one at ``n`` times a draw of Beta(k, n + 1 - k), so that none has to be made. A difference of two
shares has R. G. Newcombe's interval (1998) out of Wilson's.
"""

import math
import random
from collections.abc import Sequence
from enum import StrEnum

import msgspec

from zypher_jobs.contracts.prediction import Mode, Status
from zypher_tui.core import formats
from zypher_tui.core.errors import LOOKED_AT, newest
from zypher_tui.core.intervals import Interval, wilson
from zypher_tui.core.rows import Row

FEWEST = {0.5: 30, 0.95: 100}
"""Times on each side without which a percentile is not compared."""
FEWEST_ENDED = 20
DRAWS = 2_000
LEAST_SHARE = 0.02
"""A percentile that differs by less is the same to everybody."""
LEAST_MS = 1.0
"""Rows know whole milliseconds."""


class Times(msgspec.Struct, frozen=True):
    """Durations in ms, ascending."""

    sorted_ms: tuple[float, ...]

    @property
    def count(self) -> int:
        """How many."""
        return len(self.sorted_ms)

    def percentile(self, share: float) -> float | None:
        """The time that ``share`` of them stay within; ``None`` of none."""
        return self.sorted_ms[rank(share, self.count) - 1] if self.sorted_ms else None


class VersionStats(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a model, as its last rows have it."""

    model: str
    version: str
    counts: dict[Status, int]
    failed: Interval
    """What the share of failures lies in."""
    run: Times
    wait: Times
    first_ms: int
    """When the oldest of them was asked for, and the newest."""
    last_ms: int

    @property
    def ended(self) -> int:
        """Those with a verdict of the model."""
        return self.counts.get(Status.SUCCEEDED, 0) + self.counts.get(Status.FAILED, 0)

    @property
    def failed_share(self) -> float | None:
        """``None`` where none ended."""
        return self.counts.get(Status.FAILED, 0) / self.ended if self.ended else None


class Verdict(StrEnum):
    """What a comparison comes to, for the second against the first."""

    TOO_FEW = "too few"
    SAME = "same"
    WORSE = "worse"
    BETTER = "better"


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of two versions."""

    verdict: Verdict
    sentence: str
    interval: Interval | None = None
    """Of the ratio of two times, or of the difference of two shares."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The second version against the first."""

    p50: Difference
    p95: Difference
    failed: Difference
    caveat: str = ""
    """Why it may not be the versions that differ."""

    @property
    def sentence(self) -> str:
        """All of it."""
        said = f"{self.p50.sentence}; {self.p95.sentence}; {self.failed.sentence}"
        return f"{said}. {self.caveat}".rstrip()


def by_version(rows: Sequence[Row], *, most: int = LOOKED_AT) -> list[VersionStats]:
    """Each version among the last rows, by model, the one that was asked for last first."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in newest(rows, most=most):
        if row.model and row.is_detailed:
            found.setdefault((row.model, row.version), []).append(row)
    made = [_stats(model, version, _unbiased(members)) for (model, version), members in found.items()]
    return sorted(made, key=lambda each: (each.model, -each.last_ms, each.version))


def compare(first: VersionStats, second: VersionStats) -> Comparison:
    """How the second differs from the first; the same for the same rows."""
    draws = random.Random(1)  # noqa: S311  # statistics
    apart = first.last_ms < second.first_ms or second.last_ms < first.first_ms
    return Comparison(
        p50=_times(first, second, 0.5, draws),
        p95=_times(first, second, 0.95, draws),
        failed=_shares(first, second),
        caveat="They ran at different times: what else changed meanwhile is in it, too." if apart else "",
    )


def rank(share: float, count: int) -> int:
    """Which of ``count`` in order is the percentile, from 1."""
    return min(max(math.ceil(share * count - 1e-9), 1), max(count, 1))


def _unbiased(rows: list[Row]) -> list[Row]:
    """Without synchronous ones if none of them succeeded: the server may keep only those that failed."""
    if any(row.mode is Mode.SYNC and row.status is Status.SUCCEEDED for row in rows):
        return rows
    return [row for row in rows if row.mode is not Mode.SYNC] or rows


def _stats(model: str, version: str, rows: list[Row]) -> VersionStats:
    counts: dict[Status, int] = {}
    for row in rows:
        counts[row.status] = counts.get(row.status, 0) + 1
    failed = counts.get(Status.FAILED, 0)
    good = [row for row in rows if row.status is Status.SUCCEEDED]  # one that fails at once is not a fast one
    return VersionStats(
        model=model,
        version=version,
        counts=counts,
        failed=wilson(failed, failed + len(good)),
        run=Times(tuple(sorted(row.run_ms for row in good if row.run_ms is not None))),
        wait=Times(tuple(sorted(row.wait_ms for row in good if row.wait_ms is not None and row.mode is Mode.ASYNC))),
        first_ms=min(row.created_ms for row in rows),
        last_ms=max(row.created_ms for row in rows),
    )


def _times(first: VersionStats, second: VersionStats, share: float, draws: random.Random) -> Difference:
    name, fewest = f"p{share * 100:g}", FEWEST[share]
    for each in (first, second):
        if each.run.count < fewest:
            said = f"{name}: too few to tell ({each.run.count} of version {each.version}, {fewest} at least)"
            return Difference(verdict=Verdict.TOO_FEW, sentence=said)
    before, after = first.run.percentile(share) or 0.0, second.run.percentile(share) or 0.0
    interval = _ratio(first.run, second.run, share, draws)
    ratio = max(after, LEAST_MS / 2) / max(before, LEAST_MS / 2)
    margin = f"{_percent(interval.low - 1)} to {_percent(interval.high - 1)}"
    if interval.holds(1.0) or abs(after - before) < LEAST_MS or abs(ratio - 1) < LEAST_SHARE:
        return Difference(
            verdict=Verdict.SAME, sentence=f"{name} is the same within the noise ({margin})", interval=interval
        )
    slower = ratio > 1
    return Difference(
        verdict=Verdict.WORSE if slower else Verdict.BETTER,
        sentence=(
            f"version {second.version} is {abs(ratio - 1) * 100:.0f} % {'slower' if slower else 'faster'} "
            f"({name} {formats.duration_ms(before)} → {formats.duration_ms(after)}; {margin})"
        ),
        interval=interval,
    )


def _ratio(first: Times, second: Times, share: float, draws: random.Random) -> Interval:
    """95 % of what the second's percentile over the first's is among resamples."""
    before, after = _resampled(first, share, draws), _resampled(second, share, draws)
    ratios = sorted(max(b, LEAST_MS / 2) / max(a, LEAST_MS / 2) for a, b in zip(before, after, strict=True))
    return Interval(ratios[rank(0.025, DRAWS) - 1], ratios[rank(0.975, DRAWS) - 1])


def _resampled(times: Times, share: float, draws: random.Random) -> list[float]:
    count = times.count
    place = rank(share, count)
    return [
        times.sorted_ms[min(int(count * draws.betavariate(place, count + 1 - place)), count - 1)] for _ in range(DRAWS)
    ]


def _shares(first: VersionStats, second: VersionStats) -> Difference:
    before, after = first.failed_share, second.failed_share
    for each in (first, second):
        if each.ended < FEWEST_ENDED:
            said = f"failed share: too few to tell ({each.ended} of version {each.version}, {FEWEST_ENDED} at least)"
            return Difference(verdict=Verdict.TOO_FEW, sentence=said)
    assert before is not None
    assert after is not None
    low = after - before - math.hypot(after - second.failed.low, first.failed.high - before)
    high = after - before + math.hypot(second.failed.high - after, before - first.failed.low)
    interval = Interval(low, high)
    figures = f"{formats.share(before)} → {formats.share(after)}"
    if interval.holds(0.0):
        return Difference(
            verdict=Verdict.SAME,
            sentence=f"the failed share is the same within the noise ({figures})",
            interval=interval,
        )
    more = after > before
    return Difference(
        verdict=Verdict.WORSE if more else Verdict.BETTER,
        sentence=f"version {second.version} fails {'more' if more else 'less'} often ({figures})",
        interval=interval,
    )


def _percent(share: float) -> str:
    return f"{share * 100:+.0f} %"
