"""The latency heat map: what is counted where, for how long, and which predictions a cell leads to."""
# pyright: reportPrivateUsage=false

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tui.facts import NOW_MS, ended, row
from zypher_jobs.contracts.prediction import Status
from zypher_tui.core.filters import parse
from zypher_tui.core.heat import BOUNDS_MS, BUCKETS, COLUMN_MS, IDS, KEPT_MS, KINDS, REMEMBERED, Heat, bucket_of
from zypher_tui.core.rows import Row


def test_a_prediction_is_counted_once_in_each_kind() -> None:
    """However often it is told of."""
    heat = Heat()
    one = ended("a", NOW_MS)
    heat.fold([one, one, msgspec.structs.replace(one, output_preview="later")])
    assert heat.revision == 1
    for kind, took_ms in zip(KINDS, (120, 100, 20), strict=True):
        grid = heat.grid(kind, end_ms=NOW_MS, columns=4, halves=16)
        assert sum(map(sum, grid.counts)) == 1
        band = next(y for y, count in enumerate(grid.counts[-1]) if count)
        assert grid.bands[band].low_ms < took_ms <= (grid.bands[band].high_ms or 0)


@pytest.mark.parametrize(
    "left_out",
    [
        row("waits"),
        row("runs", status=Status.RUNNING, started_ms=NOW_MS),
        row("unknown", status=Status.FAILED, finished_ms=NOW_MS),
        row("heard late", status=Status.SUCCEEDED, started_ms=NOW_MS, finished_ms=NOW_MS + 5),
    ],
)
def test_what_has_not_ended_or_has_no_times_is_not_counted(left_out: Row) -> None:
    """An event alone may not say when it was created; its summary will."""
    heat = Heat()
    heat.changed(left_out)
    assert heat.revision == 0


def test_events_that_said_all_are_enough() -> None:
    """It was heard when it was queued, when it began, and when it ended."""
    heat = Heat()
    heat.changed(msgspec.structs.replace(ended("a", NOW_MS), is_detailed=False))
    assert heat.revision == 1


def test_columns_stand_on_whole_steps_and_hold_what_ended_in_them() -> None:
    """Wider ones hold the same predictions."""
    heat = Heat()
    heat.fold(ended(f"p{second}", NOW_MS - 1000 * second) for second in range(120))
    for step_ms in (5_000, 10_000, 40_000):
        grid = heat.grid("run", end_ms=NOW_MS, columns=30, halves=8, step_ms=step_ms)
        assert grid.first_ms % step_ms == 0
        assert grid.column_of(NOW_MS) == 29
        assert sum(map(sum, grid.counts)) == 120
        assert grid.peak == step_ms // 1000
    earlier = heat.grid("run", end_ms=NOW_MS - 60_000, columns=30, halves=8)
    assert sum(map(sum, earlier.counts)) == 64, "what ended after the column of that time is not there yet"


def test_a_cell_names_some_and_its_filter_keeps_exactly_its_predictions() -> None:
    """As a person can type it."""
    heat = Heat()
    rows = [ended(f"p{n}", NOW_MS - 700 * n, run_ms=5 + 97 * (n % 11), wait_ms=1 + n % 7) for n in range(60)]
    heat.fold(rows)
    for kind in KINDS:
        grid = heat.grid(kind, end_ms=NOW_MS, columns=9, halves=30)
        for column, counts in enumerate(grid.counts):
            for band, count in enumerate(counts):
                cell = heat.cell(grid, column, band)
                kept = parse(cell.filter)
                found = [each.prediction_id for each in rows if kept.keeps(each, NOW_MS)]
                assert cell.count == count == len(found)
                assert set(cell.ids) <= set(found)
                assert bool(cell.ids) == bool(count)


def test_a_cell_says_what_it_is() -> None:
    """Times, range, and how many."""
    heat = Heat()
    heat.fold(ended(f"p{run_ms}", NOW_MS, wait_ms=0, run_ms=run_ms) for run_ms in (1, 250, 10**7))
    grid = heat.grid("total", end_ms=NOW_MS, columns=3, halves=80)
    sentences = [heat.cell(grid, 2, band).sentence for band in range(len(grid.bands))]
    assert sentences[0] == "09:00:00 to 09:00:05 · total up to 1 ms · 1 prediction"
    assert "09:00:00 to 09:00:05 · total 200 ms to 300 ms · 1 prediction" in sentences
    assert sentences[-1] == "09:00:00 to 09:00:05 · total above 8m20s · 1 prediction"


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**7), max_size=30), st.integers(1, 120), st.integers(1, 12))
def test_every_band_of_any_height_is_in_place(times_ms: list[int], halves: int, columns: int) -> None:
    """Bands follow each other without a gap, hold all that was counted, and fit the height."""
    heat = Heat()
    heat.fold(ended(f"p{n}", NOW_MS, wait_ms=0, run_ms=took_ms) for n, took_ms in enumerate(times_ms))
    grid = heat.grid("run", end_ms=NOW_MS, columns=columns, halves=halves)
    assert len(grid.counts) == columns
    assert sum(map(sum, grid.counts)) == len(times_ms)
    assert len(grid.bands) * grid.halves <= halves
    assert all(upper.first == lower.last + 1 for lower, upper in zip(grid.bands, grid.bands[1:], strict=False))
    assert all(0 <= band.first <= band.last < BUCKETS for band in grid.bands)


@settings(deadline=None)
@given(st.floats(0, 1e9))
def test_a_bucket_holds_its_time(took_ms: float) -> None:
    """Above the bound before, up to its own."""
    bucket = bucket_of(took_ms)
    assert bucket == 0 or took_ms > BOUNDS_MS[bucket - 1]
    assert bucket == len(BOUNDS_MS) or took_ms <= BOUNDS_MS[bucket]
    assert list(BOUNDS_MS) == sorted(set(BOUNDS_MS))


def sizes(heat: Heat) -> Sequence[int]:
    """How much it holds: columns, counts, ids, remembered predictions."""
    columns = heat._columns.values()
    counts = [count for column in columns for place in column for count in place.values()]
    return len(columns), len(counts), sum(len(count.ids) for count in counts), len(heat._counted)


def test_a_day_takes_no_more_memory_than_an_hour() -> None:
    """Columns go after an hour, ids are few, and bands forget what went with them."""
    heat, most, at_ms = Heat(), KEPT_MS // COLUMN_MS, NOW_MS
    heat.changed(ended("slow", NOW_MS, run_ms=400_000))
    for step in range(24 * 720):
        at_ms = NOW_MS + step * COLUMN_MS
        heat.fold(ended(f"{step} {n}", at_ms + n, run_ms=10 + 31 * (step * n % 17)) for n in range(6))
    columns, counts, ids, remembered = sizes(heat)
    assert columns == most
    assert counts <= 3 * 6 * most
    assert ids <= counts * IDS
    assert remembered <= REMEMBERED
    grid = heat.grid("run", end_ms=at_ms, columns=10, halves=10)
    assert (grid.bands[-1].high_ms or 0) < 10_000, "the slow one is forgotten"
    heat.changed(ended("too old", NOW_MS))
    assert sizes(heat)[0] == most
