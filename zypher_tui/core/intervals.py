"""How far a share can be believed: the interval that it lies in, which is wide for few."""

import math

import msgspec

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
