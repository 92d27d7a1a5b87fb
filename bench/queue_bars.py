"""The bars of ``just bench queue``: a ratio of contestants in the same round, and what it has to reach."""

import statistics
from collections.abc import Callable, Mapping, Sequence

import msgspec

from bench.queue_field import ARQ, ARQ_10_MS, BARE, OURS, SAQ, STREAQ, TASKIQ, Contestant
from bench.queue_rows import IDEAL_PER_SECOND, Figures

Round = Mapping[str, Figures]
"""Contestant → its figures."""


class Bar(msgspec.Struct, frozen=True):
    """One comparison; ``lower`` is better for times and costs."""

    row: str
    text: str
    value: Callable[[Round], float]
    bar: float | None
    reach: float | None = None
    lower: bool = False

    def over(self, rounds: Sequence[Round]) -> float:
        """The median of the rounds' own ratios."""
        return statistics.median(self.value(each) for each in rounds)

    def holds(self, value: float, limit: float | None) -> bool:
        """Whether it reaches that."""
        return limit is None or (value <= limit if self.lower else value >= limit)


def _over(other: Contestant, figure: str = "per_second") -> Callable[[Round], float]:
    return lambda each: each[OURS.name][figure] / each[other.name][figure]


def _faster(other: Contestant, figure: str = "p50_ms") -> Callable[[Round], float]:
    return lambda each: each[other.name][figure] / each[OURS.name][figure]


def _own(figure: str, unit: float = 1) -> Callable[[Round], float]:
    return lambda each: each[OURS.name][figure] / unit


BARS = (
    Bar("drain", "over SAQ", _over(SAQ), 5, 10),
    Bar("drain", "over arq at 10 ms", _over(ARQ_10_MS), 5, 10),
    Bar("drain", "over the bare loop", _over(BARE), None, 2.5),
    Bar("drain-10", "over SAQ", _over(SAQ), 4, 7),
    Bar("io", "share of the ideal", _own("per_second", IDEAL_PER_SECOND), 0.85, 0.95),
    Bar("pick-up", "p50: SAQ's over ours", _faster(SAQ), 1),
    Bar("pick-up", "p99: SAQ's over ours", _faster(SAQ, "p99_ms"), 1),
    Bar("pick-up", "p50: taskiq's over ours", _faster(TASKIQ), 1),
    Bar("pick-up", "p99: taskiq's over ours", _faster(TASKIQ, "p99_ms"), 1),
    Bar("pick-up", "p50 over the bare loop's", _over(BARE, "p50_ms"), 1.5, 1.15, lower=True),
    Bar("pick-up", "p99 over the bare loop's", _over(BARE, "p99_ms"), 1.5, 1.15, lower=True),
    Bar("pick-up", "p99, ms", _own("p99_ms"), None, 1.5, lower=True),
    Bar("result", "p50: SAQ's over ours", _faster(SAQ), 1.5),
    Bar("result", "p50 over the bare loop's", _over(BARE, "p50_ms"), 1.5, 1.15, lower=True),
    Bar("submits", "over arq", _over(ARQ), 6, 13),
    Bar("bulk", "over streaQ's enqueue_many", _over(STREAQ), 6),
    Bar("bulk", "over a pipelined LPUSH", _over(BARE), None, 1),
    Bar("processes", "4 over 1", _own("4 over 1"), 1.3, 1.6),
    Bar("processes", "us for each, worker + server: 4 over 1", _own("cost, 4 over 1"), 1.5, 1.15, lower=True),
    Bar("idle", "% of a core", _own("percent"), 0.5, 0.1, lower=True),
    Bar("depth", "us for each, deepest over shallowest", _own("growth"), 1.5, 1.15, lower=True),
    Bar("depth", "the server's us of these", _own("claim growth"), 1.5, 1.15, lower=True),
    Bar("depth", "us for each submit", _own("submit growth"), 1.5, 1.15, lower=True),
)
