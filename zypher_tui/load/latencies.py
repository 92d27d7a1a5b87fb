"""Times in buckets that each are 2 % wider than the one before: any percentile to 2 %, in no more room for more times.

The idea is that of HdrHistogram (G. Tene): the error is relative, from 0.01 ms to hours.
"""

import math

LEAST_MS = 0.01
_WIDTH = math.log(1.02)


class Latencies:
    """Counted times; at most some thousand buckets, of which those that are empty take nothing."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._sum_ms = 0.0
        self.count = 0
        self.max_ms: float | None = None

    def add(self, ms: float) -> None:
        """Count one."""
        ms = max(ms, 0.0)
        index = 0 if ms <= LEAST_MS else math.ceil(math.log(ms / LEAST_MS) / _WIDTH)
        self._counts[index] = self._counts.get(index, 0) + 1
        self._sum_ms += ms
        self.count += 1
        self.max_ms = ms if self.max_ms is None else max(self.max_ms, ms)

    @property
    def mean_ms(self) -> float | None:
        """``None`` when empty."""
        return self._sum_ms / self.count if self.count else None

    def percentile_ms(self, share: float) -> float | None:
        """What ``share`` (0 to 1) of all stayed within: at most 2 % too much, never too little; ``None`` when empty."""
        if self.max_ms is None:
            return None
        rank, seen = max(math.ceil(share * self.count), 1), 0
        for index in sorted(self._counts):
            seen += self._counts[index]
            if seen >= rank:
                return min(LEAST_MS * math.exp(index * _WIDTH), self.max_ms)
        return self.max_ms
