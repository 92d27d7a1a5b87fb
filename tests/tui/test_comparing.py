"""Versions compared: differences that are there are found, those that are not are not claimed."""

import random
import statistics

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tui.facts import NOW_MS, row
from zypher_jobs.contracts.prediction import Mode, Status
from zypher_tui.core.comparing import Times, Verdict, VersionStats, by_version, compare, rank
from zypher_tui.core.rows import Row


def ran(version: str, number: int, run_ms: float, *, failed: bool = False, **fields: object) -> Row:
    """One that ended, some seconds after others."""
    created_ms = NOW_MS + 1000 * number
    one = row(
        f"{version}-{number}",
        version=version,
        status=Status.FAILED if failed else Status.SUCCEEDED,
        created_ms=created_ms,
        started_ms=created_ms + 5,
        finished_ms=created_ms + 5 + round(run_ms),
        is_detailed=True,
    )
    return msgspec.structs.replace(one, **fields)


def stats_of(version: str, seed: int, *, count: int, mean_ms: float = 100, failed: float = 0.0) -> VersionStats:
    """A version whose times are log-normal, as times are."""
    draws = random.Random(seed)
    rows = [
        ran(version, n, draws.lognormvariate(0, 0.4) * mean_ms, failed=draws.random() < failed) for n in range(count)
    ]
    return by_version(rows)[0]


def test_a_version_is_counted_with_its_times_and_its_share() -> None:
    """Of those with a verdict; times are of those that succeeded."""
    rows = [
        *[ran("1", n, 100 + n) for n in range(90)],
        *[ran("1", n, 1, failed=True) for n in range(90, 100)],
        ran("1", 100, 5, status=Status.CANCELED),
        row("waits", version="1", is_detailed=True),
        *[ran("2", n, 50, model="digits") for n in range(3)],
    ]
    digits, mock = by_version(rows)
    assert (digits.model, digits.version, digits.ended) == ("digits", "2", 3)
    assert mock.counts == {Status.SUCCEEDED: 90, Status.FAILED: 10, Status.CANCELED: 1, Status.QUEUED: 1}
    assert mock.failed_share == 0.1
    assert mock.failed.holds(0.1)
    assert (mock.run.count, mock.run.percentile(0.5), mock.run.percentile(0.95)) == (90, 144, 185)
    assert mock.wait.percentile(0.5) == 5


def test_only_the_last_rows_count_and_versions_are_newest_first() -> None:
    """The version that was asked for last stands first."""
    rows = [*[ran("1", n, 100) for n in range(50)], *[ran("2", n, 100) for n in range(50, 80)]]
    assert [(each.version, each.ended) for each in by_version(rows, most=40)] == [("2", 30), ("1", 10)]
    assert by_version([]) == []


def test_synchronous_ones_that_only_fail_are_left_out() -> None:
    """A server may keep those alone."""
    rows = [
        *[ran("1", n, 100) for n in range(30)],
        *[ran("1", n, 100, failed=True, mode=Mode.SYNC) for n in range(30, 60)],
    ]
    assert by_version(rows)[0].failed_share == 0
    rows.append(ran("1", 60, 100, mode=Mode.SYNC))
    assert by_version(rows)[0].failed_share == pytest.approx(30 / 61)


def test_a_slower_version_is_found_and_said() -> None:
    """With by how much, from what to what, and how sure that is."""
    comparison = compare(stats_of("2", 1, count=400), stats_of("3", 2, count=400, mean_ms=130))
    assert comparison.p50.verdict is comparison.p95.verdict is Verdict.WORSE
    assert comparison.p50.sentence.startswith("version 3 is ")
    assert " % slower (p50 " in comparison.p50.sentence
    assert comparison.p50.interval is not None
    assert comparison.p50.interval.holds(1.3)
    assert comparison.failed.verdict is Verdict.SAME
    assert comparison.failed.sentence == "the failed share is the same within the noise (0 % → 0 %)"
    said = (comparison.p50.sentence, comparison.p95.sentence, comparison.failed.sentence)
    assert comparison.sentence == f"{said[0]}; {said[1]}; {said[2]}."
    assert compare(stats_of("3", 2, count=400, mean_ms=130), stats_of("2", 1, count=400)).p50.verdict is Verdict.BETTER


def test_a_version_that_fails_more_is_found() -> None:
    """Beyond chance."""
    comparison = compare(stats_of("2", 1, count=300, failed=0.02), stats_of("3", 2, count=300, failed=0.2))
    assert comparison.failed.verdict is Verdict.WORSE
    assert comparison.failed.sentence.startswith("version 3 fails more often (")
    assert comparison.failed.interval is not None
    assert comparison.failed.interval.holds(0.18)


def test_few_are_too_few() -> None:
    """And how many there ought to be is said."""
    comparison = compare(stats_of("2", 1, count=400), stats_of("3", 2, count=12, mean_ms=900))
    assert comparison.p50.sentence == "p50: too few to tell (12 of version 3, 30 at least)"
    assert comparison.p95.verdict is comparison.failed.verdict is Verdict.TOO_FEW
    some = compare(stats_of("2", 1, count=400), stats_of("3", 2, count=60, mean_ms=900))
    assert (some.p50.verdict, some.p95.verdict) == (Verdict.WORSE, Verdict.TOO_FEW)


def test_differences_of_a_rounding_are_none() -> None:
    """Rows know whole milliseconds."""
    first = by_version([ran("1", n, 2) for n in range(200)])[0]
    second = by_version([ran("2", n, 2 + n % 2) for n in range(200)])[0]
    assert compare(first, second).p50.verdict is Verdict.SAME


def test_versions_that_ran_at_different_times_are_compared_with_a_caveat() -> None:
    """The machine may have been another."""
    early = by_version([ran("1", n, 100) for n in range(100)])[0]
    late = by_version([ran("2", n, 100) for n in range(100, 200)])[0]
    assert compare(early, late).caveat.startswith("They ran at different times")
    assert compare(early, early).caveat == ""


def test_what_is_the_same_is_rarely_said_to_differ() -> None:
    """Of 100 pairs of the same, about one in twenty by chance: that is what 95 % means."""
    claims = {"p50": 0, "p95": 0, "failed": 0}
    for seed in range(100):
        comparison = compare(
            stats_of("1", 2 * seed, count=150, failed=0.05), stats_of("2", 2 * seed + 1, count=150, failed=0.05)
        )
        for name in claims:
            claims[name] += getattr(comparison, name).verdict is not Verdict.SAME
    assert all(count <= 12 for count in claims.values()), claims


def test_the_interval_is_that_of_a_bootstrap_that_resamples() -> None:
    """The short cut by Beta draws comes to the same."""
    first, second = stats_of("1", 5, count=120), stats_of("2", 6, count=120, mean_ms=115)
    draws = random.Random(7)

    def median(times: Times) -> float:
        drawn = Times(tuple(sorted(draws.choices(times.sorted_ms, k=times.count))))
        return drawn.percentile(0.5) or 0.0

    ratios = sorted(median(second.run) / median(first.run) for _ in range(2_000))
    interval = compare(first, second).p50.interval
    assert interval is not None
    assert interval.low == pytest.approx(ratios[50], abs=0.02)
    assert interval.high == pytest.approx(ratios[1_950], abs=0.02)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200), st.floats(0.01, 0.99))
def test_a_percentile_is_one_of_the_times(times_ms: list[float], share: float) -> None:
    """At least that share of them is not longer, and fewer without it."""
    times = Times(tuple(sorted(times_ms)))
    found = times.percentile(share)
    assert found in times_ms
    assert sum(each <= (found or 0) for each in times_ms) >= share * len(times_ms) - 1e-6
    assert sum(each < (found or 0) for each in times_ms) < share * len(times_ms)
    assert times.percentile(0.5) in {statistics.median_low(times_ms), statistics.median_high(times_ms)}
    assert 1 <= rank(share, len(times_ms)) <= len(times_ms)
    assert Times(()).percentile(0.5) is None


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 300), st.integers(0, 300), st.floats(0, 1), st.floats(0, 1))
def test_any_two_versions_can_be_compared(first: int, second: int, before: float, after: float) -> None:
    """None or all of them failed, or none ran."""
    rows = [ran("1", n, 100, failed=n < before * first) for n in range(first)]
    rows += [ran("2", n, 100, failed=n < after * second) for n in range(second)]
    stats = by_version([*rows, ran("1", 0, 1, status=Status.CANCELED), ran("2", 0, 1, status=Status.CANCELED)])
    comparison = compare(stats[0], stats[1])
    assert comparison.sentence.endswith(".")
    assert comparison.failed.interval is None or comparison.failed.interval.low >= -1.01
