"""A bound on how fast requests leave, whoever wants to send them."""

CATCH_UP = 1.02
"""Where a schedule bounds the average: faster by that much, so that what was late for a moment does not stay late."""
SLACK_S = 0.02
"""What one wake-up of a busy process may be late."""


class Pacer:
    """Never more than ``per_s * (t + 0.02) + 1`` requests in any ``t`` seconds.

    The generic cell rate algorithm (ITU-T I.371): one instant is all that it keeps.
    """

    def __init__(self, per_s: float) -> None:
        self._step_s = 1 / per_s
        self._next_s = float("-inf")

    def wait_s(self, now_s: float) -> float:
        """How long to wait before the next may leave; 0: now."""
        return max(self._next_s - SLACK_S - now_s, 0.0)

    def leave(self, now_s: float) -> None:
        """One leaves. Call it only where there is nothing to wait for."""
        self._next_s = max(self._next_s, now_s) + self._step_s
