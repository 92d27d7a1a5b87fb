"""When requests are due: rates over time as straight lines, and the instant of the n-th request in closed form."""

import math
from collections.abc import Sequence
from enum import StrEnum

import msgspec

SPIKE_BASE = 0.1
"""Of the rate, before and after a spike."""
SPIKE_SHARE = 0.2
"""Of the time, in its middle."""


class Shape(StrEnum):
    """How the load goes over time."""

    CONSTANT = "constant"
    """The same rate all the time, whatever became of the requests before."""
    CALLERS = "callers"
    """So many callers, each of which waits for its answer before it asks again."""
    RAMP = "ramp"
    """From nothing to the rate."""
    SPIKE = "spike"
    """A tenth of the rate, all of it for a fifth of the time, a tenth of it."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A rate that goes straight from one value to another."""

    start_s: float
    length_s: float
    from_per_s: float
    to_per_s: float

    def due_after(self, seconds: float) -> float:
        """Requests due in its first seconds."""
        seconds = min(max(seconds, 0.0), self.length_s)
        rise = (self.to_per_s - self.from_per_s) / (2 * self.length_s)
        return self.from_per_s * seconds + rise * seconds * seconds

    def reaches(self, requests: float) -> float:
        """After how many seconds that many were due."""
        rise = (self.to_per_s - self.from_per_s) / (2 * self.length_s)
        root = math.sqrt(max(self.from_per_s**2 + 4 * rise * requests, 0.0))
        # the usual form loses its digits where the rate hardly changes
        return min(2 * requests / (self.from_per_s + root), self.length_s) if requests > 0 else 0.0


class Schedule:
    """The instants, in seconds from the begin, at which requests are due."""

    def __init__(self, lines: Sequence[Line], *, total: int) -> None:
        self._lines = lines
        self._before = [0.0]
        for line in lines:
            self._before.append(self._before[-1] + line.due_after(line.length_s))
        self.count = min(math.ceil(self._before[-1] - 1e-6), total)
        """Requests that are due in all."""
        ends_s = lines[-1].start_s + lines[-1].length_s
        self.length_s = self.at_s(total) if self._before[-1] > total else ends_s
        """When the one behind the last would be due."""

    def at_s(self, number: int) -> float:
        """When the request of that number (from 0) is due."""
        for line, before, after in zip(self._lines, self._before, self._before[1:], strict=False):
            if number < after:
                return line.start_s + line.reaches(number - before)
        raise IndexError(number)

    def due_by(self, seconds: float) -> float:
        """How many are due by then, as the line has it."""
        due = sum(line.due_after(seconds - line.start_s) for line in self._lines)
        return min(due, float(self.count))


def schedule(shape: Shape, *, rate_per_s: float, duration_s: float, total: int) -> Schedule | None:
    """The shape's; ``None`` for callers, who ask when they have their answer."""
    if shape is Shape.CALLERS:
        return None
    return Schedule(_lines(shape, rate_per_s, duration_s), total=total)


def _lines(shape: Shape, rate_per_s: float, duration_s: float) -> list[Line]:
    if shape is Shape.RAMP:
        return [Line(start_s=0.0, length_s=duration_s, from_per_s=0.0, to_per_s=rate_per_s)]
    if shape is Shape.SPIKE:
        side_s, middle_s = duration_s * (1 - SPIKE_SHARE) / 2, duration_s * SPIKE_SHARE
        low = rate_per_s * SPIKE_BASE
        return [
            Line(start_s=0.0, length_s=side_s, from_per_s=low, to_per_s=low),
            Line(start_s=side_s, length_s=middle_s, from_per_s=rate_per_s, to_per_s=rate_per_s),
            Line(start_s=side_s + middle_s, length_s=side_s, from_per_s=low, to_per_s=low),
        ]
    return [Line(start_s=0.0, length_s=duration_s, from_per_s=rate_per_s, to_per_s=rate_per_s)]
