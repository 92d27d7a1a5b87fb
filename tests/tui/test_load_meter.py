"""What a load counts: times to two percent, outcomes, errors, and its own ids."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zypher_jobs.contracts.prediction import Status
from zypher_tui.load import ledger as ledgers
from zypher_tui.load.latencies import LEAST_MS, Latencies
from zypher_tui.load.ledger import Ledger
from zypher_tui.load.meter import MOST_ERRORS, OTHERS, Meter, Outcome, outcome_of


@given(st.lists(st.floats(0, 1e8), min_size=1, max_size=200), st.floats(0, 1))
def test_a_percentile_is_within_two_percent(times: list[float], share: float) -> None:
    """Never too fast, and never above the slowest."""
    counted = Latencies()
    for ms in times:
        counted.add(ms)
    exact = sorted(times)[max(math.ceil(share * len(times)), 1) - 1]
    found = counted.percentile_ms(share)
    assert found is not None
    assert exact * (1 - 1e-9) <= found <= max(exact * 1.0201, LEAST_MS)
    assert counted.percentile_ms(1) == counted.max_ms == max(times)


def test_nothing_has_no_percentile() -> None:
    """Nor a mean."""
    assert Latencies().percentile_ms(0.5) is None
    assert Latencies().mean_ms is None


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "ok"), (202, "ok"), (429, "refused"), (503, "refused"), (404, "client_error"), (500, "server_error"),
     (504, "server_error"), (301, "client_error")],
)  # fmt: skip
def test_a_status_has_an_outcome(status: int, outcome: str) -> None:
    """429 and 503 say: later."""
    assert outcome_of(status).value == outcome


def test_seconds_are_closed_as_time_goes_on() -> None:
    """Each with what left and ended in it; what is slow counts where it ends."""
    meter = Meter()
    for at_s in (0.1, 0.9, 1.5):
        meter.leaves(at_s)
    meter.ends(Outcome.OK, 1.6, took_s=1.5)
    meter.ends(Outcome.OK, 3.2, took_s=0.1)
    assert [(one.sent, one.ended) for one in meter.seconds] == [(2, 0), (1, 1), (0, 0)]
    assert meter.seconds[1].p95_ms == pytest.approx(1500, rel=0.02)
    assert meter.seconds[2].p95_ms is None
    assert meter.in_flight == 1
    meter.abandon(3.3)
    assert meter.in_flight == 0
    assert meter.counts()[Outcome.ABANDONED] == 1


def test_only_what_ended_well_has_a_time() -> None:
    """A refusal is fast, and would make all look better."""
    meter = Meter()
    for outcome in Outcome:
        meter.leaves(0.0)
        meter.ends(outcome, 0.5, took_s=0.2 if outcome is Outcome.OK else 99.0)
    assert meter.times.max_ms == 200
    assert meter.times.mean_ms == 200


def test_errors_are_counted_by_kind_and_bounded() -> None:
    """The last of each is kept; what does not fit is one kind."""
    meter = Meter()
    for number in range(MOST_ERRORS + 5):
        for _ in range(2 if number == 3 else 1):
            meter.leaves(0.0)
            meter.ends(Outcome.SERVER_ERROR, 0.0, took_s=0.0, label=f"50{number}", said=f"it was {number}")
    errors = meter.errors
    assert len(errors) == MOST_ERRORS + 1
    assert (errors[0].label, errors[0].count) == (OTHERS, 5)
    assert (errors[1].label, errors[1].count, errors[1].last) == ("503", 2, "it was 3")


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from([*Status, None]))))
def test_the_ledger_knows_each_prediction_once(heard: list[tuple[int, Status | None]]) -> None:
    """Open, ended or forgotten, whatever is heard of whom and however often."""
    ledger = Ledger()
    for number in range(20):
        ledger.accepted(str(number))
    for number, status in heard:
        ledger.found([str(number)], {} if status is None else {str(number): status})
    assert ledger.open + ledger.forgotten + ledger.ended.total() == 20
    assert len(ledger.next(100)) == ledger.open


def test_the_ledger_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest are let go of, and counted."""
    monkeypatch.setattr(ledgers, "MOST_IDS", 3)
    ledger = Ledger()
    for number in range(5):
        ledger.accepted(str(number))
    assert (ledger.open, ledger.forgotten) == (3, 2)
    assert ledger.next(2) == ["2", "3"]


def test_those_that_still_wait_are_asked_about_last() -> None:
    """All get their turn."""
    ledger = Ledger()
    for number in range(4):
        ledger.accepted(str(number))
    ledger.found(["0", "1"], {"0": Status.QUEUED, "1": Status.SUCCEEDED})
    assert ledger.next(10) == ["2", "3", "0"]
