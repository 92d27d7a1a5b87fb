"""Groups of errors, shares and their intervals, drains, and what ended."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tui.facts import overview, row
from zypher_jobs.contracts.prediction import Status
from zypher_tui.core import errors
from zypher_tui.core.intervals import Interval, wilson
from zypher_tui.core.queue_rows import Drain
from zypher_tui.core.rows import Row
from zypher_tui.core.trends import moment_of


def failed(number: int, fingerprint: str = "a", **fields: Any) -> Row:
    """One that failed in its second."""
    return row(
        f"p{number}",
        status=Status.FAILED,
        finished_ms=number * 1000,
        error_code="model_error",
        error_message=f"ValueError: {number}\nat line 3",
        fingerprint=fingerprint,
        **fields,
    )


ROWS = [
    row("good", status=Status.SUCCEEDED, finished_ms=500),
    failed(1, worker="w-1", version="1"),
    failed(2, "b", model="digits"),
    row("better", status=Status.SUCCEEDED, finished_ms=2_500),
    failed(3, worker="w-2", model="digits", version="2"),
    row("best", status=Status.SUCCEEDED, finished_ms=9_000),
    row("waits"),
]


def grouped(rows: Sequence[Row]) -> list[errors.ErrorGroup]:
    """The failed ones of these."""
    return errors.group(each for each in rows if each.status is Status.FAILED)


def test_failures_of_one_kind_are_one_group() -> None:
    """Most frequent first, with what they share and where they were."""
    groups = grouped(ROWS)
    assert [(group.fingerprint, group.count) for group in groups] == [("a", 2), ("b", 1)]
    first = groups[0]
    assert (first.first_ms, first.last_ms, first.newest_id) == (1_000, 3_000, "p3")
    assert (first.models, first.workers, first.versions) == (("digits", "mock"), ("w-1", "w-2"), ("1", "2"))
    assert first.label == "ValueError: 3"


def test_the_same_error_elsewhere_leaves_the_prediction_itself_out() -> None:
    """And is nothing for one that did not fail, or failed alone."""
    group = errors.elsewhere(ROWS, ROWS[4])
    assert group is not None
    assert (group.count, group.newest_id) == (1, "p1")
    assert errors.elsewhere(ROWS, ROWS[2]) is None
    assert errors.elsewhere(ROWS, ROWS[0]) is None


def test_the_last_good_one_ended_before_it() -> None:
    """Of the same model: what changed since then is worth a look."""
    good = errors.last_good(ROWS, msgspec.structs.replace(ROWS[4], model="mock"))
    assert good is not None
    assert good.prediction_id == "better"
    assert errors.last_good(ROWS, ROWS[2]) is None


def test_only_the_last_rows_are_looked_at() -> None:
    """However many there are."""
    rows = [failed(number) for number in range(300)]
    assert [each.prediction_id for each in errors.newest(rows, most=2)] == ["p299", "p298"]


def test_an_error_without_a_fingerprint_is_known_by_its_code() -> None:
    """And one without a message is called by it."""
    groups = errors.group([row("p", status=Status.FAILED, error_code="timeout")])
    assert (groups[0].fingerprint, groups[0].label) == ("timeout", "timeout")
    assert len(errors.label("x", "y" * 500)) == errors.LABEL_CHARS


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 100)), max_size=60))
def test_groups_count_every_failure_once(kinds: list[tuple[str, int]]) -> None:
    """The sum is all that failed, and times lie in order."""
    rows = [failed(number, kind) if number % 2 else row(str(place)) for place, (kind, number) in enumerate(kinds)]
    groups = grouped(rows)
    assert sum(group.count for group in groups) == sum(each.status is Status.FAILED for each in rows)
    assert all(group.first_ms <= group.last_ms for group in groups)
    assert [group.count for group in groups] == sorted((group.count for group in groups), reverse=True)


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(0, 0, 0, 1), (0, 10, 0, 0.278), (5, 10, 0.237, 0.763), (10, 10, 0.722, 1), (1, 1_000, 0.00018, 0.0056)],
)
def test_the_interval_of_a_share_is_wilsons(hits: int, of: int, low: float, high: float) -> None:
    """Figures of a textbook."""
    interval = wilson(hits, of)
    assert interval.low == pytest.approx(low, abs=5e-4)
    assert interval.high == pytest.approx(high, abs=5e-4)


@settings(deadline=None)
@given(st.integers(0, 500), st.integers(0, 500))
def test_an_interval_holds_its_share_and_lies_between_0_and_1(hits: int, misses: int) -> None:
    """And is narrower with more."""
    of = hits + misses
    interval = wilson(hits, of)
    assert 0 <= interval.low <= interval.high <= 1
    if of:
        assert interval.holds(hits / of)
        wider, narrower = interval, wilson(hits * 4, of * 4)
        assert narrower.high - narrower.low <= wider.high - wider.low
    assert not Interval(0.2, 0.3).holds(0.4)


def test_a_drain_tells_how_long_it_takes() -> None:
    """Of those that wait now."""
    assert Drain(depth=120, ended_per_s=40.0).empty_s == 3.0
    assert Drain(depth=5, ended_per_s=0.0).empty_s is None
    assert Drain(depth=0, ended_per_s=0.0).empty_s == 0.0


def test_what_ended_is_counted_by_model() -> None:
    """With what failed of it; what waits or runs is none of it."""
    counts = {Status.SUCCEEDED: 130, Status.FAILED: 12, Status.CANCELED: 3, Status.RUNNING: 90}
    assert moment_of(overview(counts=counts), at_s=0).ended == {"mock": (145, 12)}
