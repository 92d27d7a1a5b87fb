"""Somebody else who operates the simulated system meanwhile."""

from collections.abc import Callable

from zypher_jobs.contracts.deployment import Traffic
from zypher_jobs.contracts.prediction import Priority

PAUSES_EVERY_S = 480.0
LOW_PAUSED_S, LOW_RESUMED_S = 95.0, 400.0
"""When in each of these the lowest queue is paused, and resumed."""
FRAUD = "fraud-scorer"
CANARY_TAKEN_OUT_S = 152.0
PROMOTED_S = 155.0
"""When a version goes live that fails for most callers."""
ROLLED_BACK_S = 755.0
"""When that is noticed, if nobody did before."""


class Colleague:
    """Pauses the lowest queue, and promotes a version without a look at it. Leaves alone what a person has touched."""

    def __init__(self, paused: set[Priority], switch: Callable[[str, Traffic], None]) -> None:
        self.hands_off: set[str] = set()
        """Queues and models."""
        self._paused = paused
        self._switch = switch

    def act(self, now_s: float) -> None:
        """Do what is due at that tenth of a second."""
        if Priority.LOW not in self.hands_off:
            phase_s = round(now_s % PAUSES_EVERY_S, 1)
            if phase_s == LOW_PAUSED_S:
                self._paused.add(Priority.LOW)
            elif phase_s == LOW_RESUMED_S:
                self._paused.discard(Priority.LOW)
        if FRAUD not in self.hands_off:
            if now_s in (CANARY_TAKEN_OUT_S, ROLLED_BACK_S):
                self._switch(FRAUD, Traffic(shares={"1": 100}, shadow="3"))
            elif now_s == PROMOTED_S:
                self._switch(FRAUD, Traffic(shares={"4": 100}))
