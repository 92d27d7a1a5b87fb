"""``Doorkeeper``: whether one more call may wait, while as many wait already as keep its model busy.

A long queue alone says little: callers who each wait for their answer before they ask again make a queue that stands,
and all of them are served. A queue that grows is another thing: more come than can be served, and the longer that lasts
the longer each waits, until none is served in time. So the peaks of successive windows are compared, and what was
turned away counts as growth. One window that grew is a burst, two running are an overload; short windows see a flood at
once, long ones see what is little more than can be done.

While there is overload nobody waits beyond what keeps the model busy: the wait is about that of one run, whatever
comes. It ends when less comes in a window than can be done.
"""

import math
import time
from collections.abc import Callable
from typing import Literal

Reason = Literal["overload", "wait"]

WINDOWS_S = (0.05, 1.0)
"""Windows of these lengths are compared."""
OVERLOAD_WINDOW_S = 0.5
"""Least length of those that may end an overload."""
LEAST_BEGUN = 8
"""Calls that must have begun in a window before anything is concluded from it."""
LEAST_WAIT_S = 0.2
"""A queue that is worked off within this is no overload, however it grows, where nothing else is said."""
GROWTH = 0.05
"""Of what was begun: less growth than that is none."""
ROOM = 0.95
"""An overload ends when what comes is less than this share of what can be done."""


class _Growth:
    """Compares windows of one length."""

    __slots__ = ("_begun", "_length_s", "_peak", "_rises", "_since_s", "_turned_away", "last_peak")

    def __init__(self, length_s: float, now_s: float, begun: int, turned_away: int) -> None:
        self._length_s = length_s
        self._since_s, self._begun, self._turned_away = now_s, begun, turned_away
        self._peak = self._rises = 0
        self.last_peak = 0
        """The longest that the queue was in the last window."""

    def lasts(self, now_s: float, waiting: int, begun: int, turned_away: int) -> bool:
        """Whether two windows running grew by more than chance. The last two numbers only ever rise."""
        self._peak = max(self._peak, waiting)
        done = begun - self._begun
        if now_s - self._since_s < self._length_s or done < LEAST_BEGUN:
            return False
        growth = self._peak - self.last_peak + turned_away - self._turned_away
        # chance: two standard deviations of what comes
        self._rises = self._rises + 1 if growth > GROWTH * done + 2 * math.sqrt(done) else 0
        self._since_s, self._begun, self._turned_away = now_s, begun, turned_away
        self.last_peak, self._peak = self._peak, 0
        return self._rises > 1


class Doorkeeper:
    """Of one queue. It need not be asked before as many wait as keep the model busy: up to there all may."""

    __slots__ = (
        "_begun",
        "_clock",
        "_growths",
        "_least_wait_s",
        "_quiet_at_s",
        "_since_s",
        "_turned_away",
        "is_overloaded",
        "refused",
    )

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, least_wait_s: float = LEAST_WAIT_S) -> None:
        self.refused: dict[Reason, int] = {"overload": 0, "wait": 0}
        """Calls so far: because the queue grew, and because they would have waited for too long."""
        self.is_overloaded = False
        self._clock = clock
        self._least_wait_s = least_wait_s
        self._quiet_at_s = -math.inf
        """When what is known is of another time: all that waited has been worked off, twice, and nobody came."""
        self._turned_away = self._begun = 0
        self._since_s = 0.0
        self._growths: tuple[_Growth, ...] = ()

    def lets_in(self, *, waiting: int, begun: int, per_s: float, longest_wait_s: float) -> bool:
        """Whether one more may wait.

        ``begun`` counts all calls that ever left the queue to be run; ``per_s`` is how many can be run in a second
        (0: not known yet). Who would wait for more than ``longest_wait_s`` may not.
        """
        now_s = self._clock()
        if now_s > self._quiet_at_s:
            self._watch(now_s, begun)
        self._quiet_at_s = now_s + max(OVERLOAD_WINDOW_S, 2 * (LEAST_BEGUN + waiting) / per_s if per_s else 0)
        if self.is_overloaded:
            self._look_for_its_end(now_s, begun, per_s)
        else:
            self._look_for_overload(now_s, waiting, begun, per_s)
        if self.is_overloaded:
            self.refused["overload"] += 1
            return False
        if per_s and waiting >= per_s * longest_wait_s:
            self.refused["wait"] += 1
            return False
        return True

    def _watch(self, now_s: float, begun: int) -> None:
        """Compare from now on."""
        self.is_overloaded = False
        turned_away = sum(self.refused.values())
        self._growths = tuple(_Growth(length_s, now_s, begun, turned_away) for length_s in WINDOWS_S)

    def _look_for_overload(self, now_s: float, waiting: int, begun: int, per_s: float) -> None:
        turned_away = sum(self.refused.values())
        lasting = [each for each in self._growths if each.lasts(now_s, waiting, begun, turned_away)]
        if any(each.last_peak > self._least_wait_s * per_s for each in lasting):
            self.is_overloaded = True
            self._since_s, self._begun, self._turned_away = now_s, begun, turned_away

    def _look_for_its_end(self, now_s: float, begun: int, per_s: float) -> None:
        passed_s = now_s - self._since_s
        if passed_s < OVERLOAD_WINDOW_S or passed_s * per_s < LEAST_BEGUN:
            return
        turned_away = sum(self.refused.values())
        if begun - self._begun + turned_away - self._turned_away < ROOM * per_s * passed_s:
            self._watch(now_s, begun)
        self._since_s, self._begun, self._turned_away = now_s, begun, turned_away
