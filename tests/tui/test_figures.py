"""Numbers, percentiles and histories are what they say."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tui.facts import NOW, histogram, overview
from zypher_jobs.contracts.prediction import Status
from zypher_tui.core import formats
from zypher_tui.core.history import COARSE_S, FINE_S, KEPT_S, NONE, TALLIED_S, History, columns
from zypher_tui.core.latencies import Percentile, Tally
from zypher_tui.widgets.chart import axis_label, nice_ceiling


@pytest.mark.parametrize(
    ("ms", "shown"),
    [
        (None, "—"), (0, "0 ms"), (0.01, "<0.1ms"), (0.31, "0.3 ms"), (6.0, "6 ms"), (84.4, "84 ms"), (999.6, "1.0 s"),
        (12_340, "12.3 s"), (59_960, "59 s"), (245_000, "4m05s"), (10_920_000, "3h02m"), (183_600_000, "2d03h"),
        (9_000_000_000, "104 d"),
    ],
)  # fmt: skip
def test_a_duration_is_short_and_has_its_unit(ms: float | None, shown: str) -> None:
    """Six cells hold any duration that a queue knows."""
    assert formats.duration_ms(ms) == shown
    assert len(shown) <= 6


@settings(deadline=None)
@given(st.integers(0, 10**12))
def test_a_count_takes_six_cells_at_most(number: int) -> None:
    """However large."""
    assert len(formats.count(number)) <= 6


@settings(deadline=None)
@given(st.floats(0, 1e9))
def test_a_rate_and_a_share_stay_short(value: float) -> None:
    """Columns never break."""
    assert len(formats.rate(value)) <= 6
    assert len(formats.share(min(value, 1))) <= 6


@pytest.mark.parametrize(
    ("size", "shown"), [(0, "0 B"), (999, "999 B"), (1_500, "1.5 kB"), (84_200_000, "84 MB"), (2_100_000_000, "2.1 GB")]
)
def test_sizes_have_decimal_units(size: int, shown: str) -> None:
    """kB is 1000 bytes."""
    assert formats.size_bytes(size) == shown


def test_times_are_local() -> None:
    """And say their offset where there is room."""
    at = datetime(2026, 11, 3, 9, 2, 3, 45_000, tzinfo=UTC) + timedelta(0)
    assert formats.clock(at) == "09:02:03"
    assert formats.instant(at) == "2026-11-03 09:02:03.045 +0000"


@settings(deadline=None)
@given(st.lists(st.integers(0, 50), min_size=4, max_size=4), st.floats(0.01, 1))
def test_a_percentile_lies_in_the_bucket_that_holds_it(counts: list[int], share: float) -> None:
    """Never below the true value's bucket, never above it."""
    tally = Tally.of([histogram("run", counts)])
    percentile = tally.percentile(share)
    total, seen = sum(counts), 0
    if total == 0:
        assert percentile is None
        return
    assert percentile is not None
    low = 0.0
    for bound, counted in zip([10.0, 100.0, 1000.0, float("inf")], counts, strict=True):
        seen += counted
        if counted and seen >= share * total:
            assert low <= percentile.ms <= bound
            assert percentile.beyond == (bound == float("inf"))
            return
        low = bound


def test_a_percentile_past_the_last_bound_says_so() -> None:
    """It is only known to be longer."""
    assert Tally.of([histogram("run", [0, 0, 0, 5])]).percentile(0.5) == Percentile(ms=1000, beyond=True)


def test_tallies_of_several_models_add_up() -> None:
    """The figure on top is of all models."""
    both = Tally.of([histogram("run", [1, 0, 0, 0]), histogram("run", [1, 0, 2, 0])])
    assert both.count == 4
    assert both.buckets[0] == (10.0, 2)


def test_a_window_of_time_is_a_difference() -> None:
    """And the whole, once the counters began anew."""
    before, after = Tally.of([histogram("run", [5, 5, 0, 0])]), Tally.of([histogram("run", [5, 7, 0, 0])])
    assert after.since(before).count == 2
    assert before.since(after) == before


def test_throughput_is_what_ended_between_two_readings() -> None:
    """Queued and running ones do not count."""
    history = History()
    for at_s, done in ((10.0, 100), (12.0, 150)):
        history.add(overview(counts={Status.SUCCEEDED: done, Status.RUNNING: done}), at_s=at_s)
    assert [sample.per_s for sample in history.samples(100)] == [None, 25.0]


def test_counters_that_begin_anew_are_not_a_negative_throughput() -> None:
    """Redis was emptied: nothing is known of that second."""
    history = History()
    for at_s, done in ((10.0, 100), (11.0, 3), (12.0, 5)):
        history.add(overview(counts={Status.SUCCEEDED: done}), at_s=at_s)
    assert [sample.per_s for sample in history.samples(100)] == [None, None, 2.0]
    start = history.before(60)
    assert start is not None
    assert start.finished == 3


def test_a_history_does_not_grow_for_ever() -> None:
    """A week of watching takes no more memory than a day: each second of an hour, each ten before that."""
    history = History()
    for second in range(2 * int(KEPT_S)):
        history.add(overview(), at_s=float(second))
    kept = history.samples(2 * KEPT_S)
    assert len(kept) == pytest.approx(FINE_S + (KEPT_S - FINE_S) / COARSE_S, abs=20)
    assert sum(sample.run is not NONE for sample in kept) == pytest.approx(TALLIED_S, abs=2)
    assert kept[-1].at_s - kept[0].at_s == pytest.approx(KEPT_S, abs=2 * COARSE_S)


def test_columns_show_the_highest_and_keep_holes() -> None:
    """A second between readings is filled, a minute without any is a hole."""
    points = [(1.0, 4.0), (1.4, 9.0), (3.2, 2.0), (20.0, 5.0)]
    shown = columns(points, end_s=21.9, step_s=1, count=22)
    assert shown[:6] == [None, 9.0, 9.0, 2.0, None, None]
    assert shown[18:] == [None, None, 5.0, 5.0]


def test_columns_move_on_by_whole_columns() -> None:
    """The same points give the same picture until a column is full."""
    points = [(float(second), float(second % 7)) for second in range(100)]
    assert columns(points, end_s=99.1, step_s=5, count=10) == columns(points, end_s=99.8, step_s=5, count=10)


@settings(deadline=None)
@given(st.floats(0, 1e12))
def test_a_chart_has_room_for_its_highest_value(highest: float) -> None:
    """And is not more than half empty above it."""
    top = nice_ceiling(highest)
    assert top >= highest
    assert top <= max(2 * highest, 4)


@pytest.mark.parametrize(("top", "half"), [(4, "2"), (15, "7.5"), (300, "150"), (6e6, "3.0M")])
@pytest.mark.parametrize("height", [5, 6, 13])
def test_the_middle_of_an_axis_is_half(height: int, top: float, half: str) -> None:
    """Whatever the height is."""
    labels = [axis_label(y, height, top) for y in range(height)]
    assert [labels[0], labels[height // 2], labels[-1]] == [axis_label(0, 5, top), half, "0"]
    assert labels.count("") == height - 3


def test_an_age_is_whole_seconds() -> None:
    """It changes once a second."""
    assert [formats.age_s(value) for value in (None, 0.9, 59.9, 60)] == ["—", "0 s", "59 s", "1m00s"]
    assert NOW.tzinfo is UTC
