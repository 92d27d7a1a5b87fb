"""``BatchSize``: how large a batch of one model may be: as it was set, or as large as it still gains by."""

from collections import deque
from statistics import median

FIRST_LIMIT = 8
LARGEST_LIMIT = 128
GAIN = 0.95
"""Twice the size is worth it when a prediction then costs less than this share of what it costs now."""
SAMPLES = 5
"""Batches of a size before it is judged; their median counts, as the first run of a size is often slow."""
RETRY_AFTER = 200
"""Full batches after which the next size is tried again: what was measured once may not hold any more."""


class BatchSize:
    """The largest batch at present, a power of two unless it was set.

    Unset, it starts at 8 and doubles while calls wait for more and each of them costs less in the larger batch; it is
    halved when they cost no less there than in batches half as large (a model that does not gain only answers later).
    A size that it moves to is measured anew, so that both sides of a comparison are of the same hour.
    """

    __slots__ = ("_costs_s", "_is_fixed", "_settled", "limit")

    def __init__(self, fixed: int | None) -> None:
        self.limit = fixed or FIRST_LIMIT
        self._is_fixed = fixed is not None
        self._costs_s: dict[int, deque[float]] = {}
        """Batch size, rounded down to a power of two → seconds for each prediction in the newest ones."""
        self._settled = 0
        """Full batches since the limit was moved, or the next one was last forgotten."""

    def learn(self, size: int, took_s: float, *, more_waited: bool) -> None:
        """A batch of ``size`` took so long; ``more_waited``: it would have been larger had it been allowed to."""
        if self._is_fixed:
            return
        step = 1 << (size.bit_length() - 1)
        self._costs_s.setdefault(step, deque(maxlen=SAMPLES)).append(took_s / size)
        cost_s = self._cost_s(step)
        if size < self.limit or not more_waited or cost_s is None:
            return
        half_s, double_s = self._cost_s(step // 2), self._cost_s(step * 2)
        if half_s is not None and cost_s >= GAIN * half_s:
            self._move(step // 2)
        elif step < LARGEST_LIMIT and (double_s is None or double_s < GAIN * cost_s):
            self._move(step * 2)
        elif (settled := self._settled + 1) >= RETRY_AFTER:
            self._settled = 0
            self._costs_s.pop(step * 2, None)
        else:
            self._settled = settled

    def _move(self, limit: int) -> None:
        self.limit = limit
        self._settled = 0
        self._costs_s.pop(limit, None)

    def _cost_s(self, step: int) -> float | None:
        """Of each prediction in batches of that size; ``None`` where too few were seen."""
        costs_s = self._costs_s.get(step, ())
        return median(costs_s) if len(costs_s) == SAMPLES else None
