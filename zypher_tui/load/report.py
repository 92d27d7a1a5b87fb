"""What there is to say of a load: what it is doing, what came of it so far."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from zypher_jobs.contracts.prediction import Status
from zypher_tui.load.meter import Outcome, Second, SeenError, Times


class State(StrEnum):
    """Where a load stands."""

    READY = "ready"
    RUNNING = "running"
    STOPPING = "stopping"
    ENDED = "ended"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to say of a load, at one time."""

    state: State
    elapsed_s: float
    """Since its first request; it stands once the last answer is there."""
    due: float | None
    """Requests that were due by now; ``None`` for callers."""
    planned: int
    """Requests that will be sent at most."""
    left_s: float
    """Until nothing is sent any more."""
    sent: int
    in_flight: int
    held_back: int
    outcomes: dict[Outcome, int]
    times: Times
    due_per_s: float | None
    """As it was asked for, on average."""
    sent_per_s: float
    late_p95_ms: float | None
    open: int
    """Predictions of this load that wait or run, as far as is known."""
    forgotten: int
    """Predictions of which nothing is known any more."""
    ended: dict[Status, int]
    """Its predictions that have ended, as far as is known."""
    errors: list[SeenError]
    seconds: Sequence[Second]
