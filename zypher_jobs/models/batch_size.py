"""``BatchSize``: how large a batch of one model may be: as it was set, or as large as it still gains by."""

SMALLEST_LIMIT = 8
LARGEST_LIMIT = 128
GAIN = 0.95
"""Twice the size is worth it when a prediction then costs less than this share of what it costs now."""
WEIGHT = 0.3
"""Of the newest batch in the running mean."""


class BatchSize:
    """The largest batch at present.

    Unset, it starts at 8 and doubles while calls wait for more and each of them costs less in the larger batch; it is
    halved when they cost no less there than in batches half as large (a model that does not gain only answers later).
    """

    def __init__(self, fixed: int | None) -> None:
        self.limit = fixed or SMALLEST_LIMIT
        self._is_fixed = fixed is not None
        self._cost_s: dict[int, float] = {}
        """Batch size, rounded down to a power of two → seconds for each prediction in it."""

    def learn(self, size: int, took_s: float, *, more_waited: bool) -> None:
        """A batch of ``size`` took so long; ``more_waited``: it would have been larger had it been allowed to."""
        if self._is_fixed:
            return
        step = 1 << (size.bit_length() - 1)
        cost_s = took_s / size
        self._cost_s[step] = cost_s + (1 - WEIGHT) * (self._cost_s.get(step, cost_s) - cost_s)
        if size < self.limit or not more_waited:
            return
        half = self._cost_s.get(step // 2)
        gains = half is None or self._cost_s[step] < GAIN * half
        double = self._cost_s.get(2 * step)
        if not gains:
            self.limit = max(1, self.limit // 2)
        elif self.limit < LARGEST_LIMIT and (double is None or double < GAIN * self._cost_s[step]):
            self.limit = min(LARGEST_LIMIT, 2 * self.limit)
