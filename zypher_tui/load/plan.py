"""What is to be sent, and the bounds that nothing exceeds."""

from enum import StrEnum

import msgspec

from zypher_tui.load.shapes import Schedule, Shape, schedule

MAX_TOTAL = 1_000_000
MAX_DURATION_S = 3_600.0
MAX_RATE_PER_S = 2_000.0
MAX_CALLERS = 500
"""And so many requests under way at once, whatever the shape."""


class How(StrEnum):
    """How the answer is wanted."""

    SYNC = "sync"
    """In the response."""
    ASYNC = "async"
    """Later: an accepted request is done with, its prediction waits in the queue."""
    WAIT = "wait"
    """Later, and each is waited for until it has ended."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A load."""

    model: str
    how: How = How.SYNC
    shape: Shape = Shape.CONSTANT
    rate_per_s: float = 20.0
    """Of the shape, where it has one: the highest."""
    callers: int = 10
    duration_s: float = 30.0
    """Nothing is sent after it."""
    total: int = 10_000
    """Requests at most."""
    limit_per_s: float = 200.0
    """Requests per second at most, whatever the shape."""
    in_flight: int = MAX_CALLERS
    """Requests under way at once at most."""
    honors_retry_after: bool = False
    """Whether nothing is sent for as long as a refusal says."""

    @property
    def schedule(self) -> Schedule | None:
        """When requests are due."""
        return schedule(self.shape, rate_per_s=self.rate_per_s, duration_s=self.duration_s, total=self.total)

    @property
    def path(self) -> str:
        """Where the model is asked."""
        name, _, version = self.model.partition("@")
        return f"/models/{name}/versions/{version}/predict" if version else f"/models/{name}/predict"


def describe(plan: Plan) -> str:
    """The plan as one line."""
    rate, times = f"{plan.rate_per_s:g}/s", f"for {_seconds(plan.duration_s)}"
    due = plan.schedule
    most = f"{plan.total:,} at most" if due is None else f"{due.count:,} requests"
    said = {
        Shape.CONSTANT: f"{rate} {times}",
        Shape.CALLERS: f"{plan.callers} callers {times}, up to {plan.limit_per_s:g}/s",
        Shape.RAMP: f"0 to {rate} in {_seconds(plan.duration_s)}",
        Shape.SPIKE: f"{plan.rate_per_s / 10:g}/s, a spike of {rate}, {times}",
    }
    return f"{said[plan.shape]}: {most}"


def _seconds(seconds: float) -> str:
    return f"{seconds:g} s" if seconds < 120 or seconds % 60 else f"{seconds / 60:g} min"
