"""``Gate``: whether the event loop itself keeps up with what comes, so that what it cannot do is refused early.

In one turn the loop reads whatever has come and makes a task of each request; then the tasks run. Those that have not
begun are a queue like that before a model, and the same ``Doorkeeper`` tells when it grows. All of it costs a request
0.3 µs; no timer ticks.
"""

from time import perf_counter

from zypher_jobs.models.doorkeeper import Doorkeeper

USUAL_S = 0.005
"""What may always wait: as much as the loop does in this time, and ``LEAST_USUAL`` in any case."""
LEAST_USUAL = 8
LEAST_COUNTED = 8
"""A turn with fewer requests says nothing of how many could be done."""
LEAST_WAIT_S = 0.05
"""Less than that is no overload: a turn of the loop may take so long."""
WEIGHT = 0.1
"""Of the newest turn in the average."""
BETWEEN = 0.8
"""Share of its time that a busy loop has for requests: the rest are answers to write, records, log lines."""


class Gate:
    """Of one process."""

    __slots__ = ("_begun", "_first", "_longest_wait_s", "_per_s", "_read", "_since_s", "door", "usual")

    def __init__(self, longest_wait_s: float) -> None:
        """``longest_wait_s`` 0: nothing is refused, ever."""
        self.door = Doorkeeper(least_wait_s=LEAST_WAIT_S)
        self.usual = LEAST_USUAL
        """Up to so many may wait whatever happens."""
        self._longest_wait_s = longest_wait_s
        self._read = self._begun = 0
        self._first = 0
        self._since_s = 0.0
        self._per_s = 0.0

    @property
    def waiting(self) -> int:
        """Requests that were read and have not begun."""
        return self._read - self._begun

    def read(self) -> None:
        """A request was, and has a task now."""
        if self._read == self._begun:
            self._first, self._since_s = self._begun, perf_counter()
        self._read += 1

    def begin(self) -> None:
        """A request's task does."""
        self._begun += 1
        if self._begun == self._read and (count := self._begun - self._first) >= LEAST_COUNTED:
            per_s = BETWEEN * count / (perf_counter() - self._since_s)
            self._per_s += WEIGHT * (per_s - self._per_s) if self._per_s else per_s
            self.usual = max(LEAST_USUAL, int(self._per_s * USUAL_S))

    def lets_in(self) -> bool:
        """Whether one more may wait."""
        waiting = self._read - self._begun
        if waiting < self.usual or not self._longest_wait_s:
            return True
        return self.door.lets_in(
            waiting=waiting, begun=self._begun, per_s=self._per_s, longest_wait_s=self._longest_wait_s
        )

    @property
    def retry_after_s(self) -> float:
        """When what waits now has been worked off."""
        return self.waiting / self._per_s if self._per_s else 1.0
