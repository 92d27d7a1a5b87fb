"""``Pace``: what a call of a model costs of late, in time of one of its places."""

WEIGHT = 0.1
"""Least weight of the newest batch."""
MOST = 4
"""Times what was usual: a batch that took longer (a page fault, another process) counts as that."""


class Pace:
    """A moving average. The first batch of all counts only until there is a second: it warms up what is behind it."""

    __slots__ = ("_seen", "each_s")

    def __init__(self) -> None:
        self.each_s = 0.0
        """Seconds for each call; 0 before the first batch."""
        self._seen = 0

    def learn(self, size: int, took_s: float) -> None:
        """A batch of ``size`` took so long."""
        each_s = took_s / size
        if self._seen > 1:
            each_s = min(each_s, MOST * self.each_s)
        self.each_s += (each_s - self.each_s) * max(WEIGHT, 1 / max(1, self._seen))
        self._seen += 1
