"""The buckets in which waits, runs and totals are counted, the same in every process so that counts can be added up."""

from bisect import bisect_left

BOUNDS_MS: tuple[float, ...] = (
    1,
    2.5,
    5,
    10,
    25,
    50,
    100,
    250,
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    30_000,
    60_000,
    300_000,
)
"""Upper bounds, each included in its bucket; a last bucket holds what is longer."""


def bucket_of(duration_ms: float) -> int:
    """Number of the bucket of a duration, 0 to ``len(BOUNDS_MS)``."""
    return bisect_left(BOUNDS_MS, duration_ms)
