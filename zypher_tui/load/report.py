"""What there is to say of a load: what it is doing, what came of it so far."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from zypher_jobs.contracts.prediction import Status
from zypher_tui.load.ledger import Ledger
from zypher_tui.load.meter import Meter, Outcome, Second, SeenError, Times
from zypher_tui.load.plan import Plan


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


def report_of(
    plan: Plan, meter: Meter, ledger: Ledger, *, state: State, now_s: float, sent_for_s: float | None
) -> Report:
    """What was counted up to now. ``sent_for_s``: how long it sent; ``None`` while it does."""
    meter.tick(now_s)
    schedule = plan.schedule
    sending_s = now_s if sent_for_s is None else sent_for_s
    if schedule and meter.sent == schedule.count:
        sending_s = max(sending_s, schedule.length_s)
    return Report(
        state=state,
        elapsed_s=now_s,
        due=schedule.due_by(now_s) if schedule else None,
        planned=schedule.count if schedule else plan.total,
        left_s=max(plan.duration_s - now_s, 0.0) if sent_for_s is None else 0.0,
        sent=meter.sent,
        in_flight=meter.in_flight,
        held_back=meter.held_back,
        outcomes=dict(meter.counts()),
        times=meter.times,
        due_per_s=schedule.count / schedule.length_s if schedule else None,
        sent_per_s=meter.sent / sending_s if sending_s > 0 else 0.0,
        late_p95_ms=meter.late_p95_ms if schedule else None,
        open=ledger.open,
        forgotten=ledger.forgotten,
        ended=dict(ledger.ended),
        errors=meter.errors,
        seconds=meter.seconds,
    )
