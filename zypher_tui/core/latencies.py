"""Percentiles of wait and run times, read out of cumulative histograms."""

from collections.abc import Iterable

import msgspec

from zypher_jobs.contracts.stats import LatencyHistogram


class Tally(msgspec.Struct, frozen=True):
    """Histograms of several models added up: ``(upper bound in ms, count)``, ascending; the last bound is infinite."""

    buckets: tuple[tuple[float, int], ...] = ()

    @classmethod
    def of(cls, histograms: Iterable[LatencyHistogram]) -> "Tally":
        """The sum. Where bounds differ, a count goes to the end of its own bucket: never too fast."""
        total: dict[float, int] = {}
        for histogram in histograms:
            for bound, counted in zip([*histogram.bounds_ms, float("inf")], histogram.counts, strict=False):
                total[bound] = total.get(bound, 0) + counted
        return cls(tuple(sorted(total.items())))

    @property
    def count(self) -> int:
        """How many times it holds."""
        return sum(counted for _, counted in self.buckets)

    def since(self, before: "Tally") -> "Tally":
        """What came after ``before``; the whole when the counters began anew in between."""
        earlier = dict(before.buckets)
        difference = tuple((bound, counted - earlier.get(bound, 0)) for bound, counted in self.buckets)
        return self if any(counted < 0 for _, counted in difference) else Tally(difference)

    def percentile(self, share: float) -> "Percentile | None":
        """The time that ``share`` (0 to 1) of all stay within, linear inside its bucket; ``None`` when empty."""
        total = self.count
        if total == 0:
            return None
        rank = share * total
        low, seen = 0.0, 0
        for bound, counted in self.buckets:
            if counted and seen + counted >= rank:
                if bound == float("inf"):
                    return Percentile(ms=low, beyond=True)
                return Percentile(ms=low + (bound - low) * max(rank - seen, 0) / counted)
            seen += counted
            if bound != float("inf"):
                low = bound
        return Percentile(ms=low, beyond=True)


class Percentile(msgspec.Struct, frozen=True, kw_only=True):
    """A time in ms; ``beyond`` the last bound the histogram can tell, it is only known to be longer."""

    ms: float
    beyond: bool = False
