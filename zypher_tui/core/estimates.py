"""How long a queue takes to drain, what ends per second, and how wide a share's interval is."""

import math
from collections.abc import Mapping

import msgspec

from zypher_jobs.contracts.stats import Overview

SURE_Z = 1.96
"""Standard deviations of a normal distribution that hold 95 %."""


class Interval(msgspec.Struct, frozen=True):
    """What a figure lies in, with 95 % confidence."""

    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Whether the value is one of those that fit."""
        return self.low <= value <= self.high


def wilson(hits: int, of: int) -> Interval:
    """The 95 % interval of a share: right for few, and for shares near 0 and 1. E. B. Wilson, 1927."""
    if of == 0:
        return Interval(0.0, 1.0)
    share, square = hits / of, SURE_Z**2
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = SURE_Z / (1 + square / of) * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
    return Interval(max(middle - half, 0.0) if hits else 0.0, min(middle + half, 1.0) if hits < of else 1.0)


class Drain(msgspec.Struct, frozen=True, kw_only=True):
    """How a queue's depth changes, and what that means for those who wait."""

    depth: int
    ended_per_s: float
    growth_per_s: float = 0.0
    """By how much the depth changed per second lately: below 0 it drains."""

    @property
    def empty_s(self) -> float | None:
        """Until the last of those that wait now has ended; ``None``: nothing ends."""
        if self.depth == 0:
            return 0.0
        return self.depth / self.ended_per_s if self.ended_per_s > 0 else None


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """Predictions of one model that ended in a window of time."""

    model: str
    ended: int
    failed: int
    seconds: float

    @property
    def per_s(self) -> float:
        """Throughput."""
        return self.ended / self.seconds if self.seconds > 0 else 0.0

    @property
    def failed_share(self) -> float | None:
        """``None`` where nothing ended."""
        return self.failed / self.ended if self.ended else None


def totals(overview: Overview) -> dict[str, tuple[int, int]]:
    """Model → how many ever ended, and how many of these failed."""
    found: dict[str, tuple[int, int]] = {}
    for each in overview.counts:
        if each.status.is_terminal:
            ended, failed = found.get(each.model, (0, 0))
            found[each.model] = ended + each.count, failed + (each.count if each.status == "failed" else 0)
    return found


def ended_since(
    before: Mapping[str, tuple[int, int]], after: Mapping[str, tuple[int, int]], *, seconds: float
) -> list[Ended]:
    """Each model that ended any between two ``totals``, busiest first; none where counters began anew meanwhile."""
    found: list[Ended] = []
    for model, (ended, failed) in after.items():
        were_ended, were_failed = before.get(model, (0, 0))
        if ended > were_ended and failed >= were_failed:
            found.append(
                Ended(model=model, ended=ended - were_ended, failed=failed - were_failed, seconds=max(seconds, 0.0))
            )
    return sorted(found, key=lambda each: (-each.ended, each.model))
