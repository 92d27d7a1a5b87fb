"""Versions as lines, and their predictions over time."""

from collections.abc import Sequence

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from tests.tui.facts import NOW, NOW_MS, model, overview, row, version
from zypher_jobs.contracts.deployment import ModelDetail, Traffic, VersionState
from zypher_jobs.contracts.model import BatchingInfo
from zypher_jobs.contracts.prediction import Status
from zypher_tui.core.book import Book
from zypher_tui.core.model_facts import call, traffic_text
from zypher_tui.core.model_rows import Condition, ModelRow, Served, model_rows, recent
from zypher_tui.core.readings import SourceName
from zypher_tui.core.rows import Row
from zypher_tui.core.version_series import run_over_time, waiting_over_time
from zypher_tui.core.view import View


def rows_of(*predictions: Row, models: Sequence[ModelDetail] = ()) -> list[ModelRow]:
    """What the table shows at ``NOW``."""
    book = Book()
    for each in predictions:
        book.put(each)
    view = View(now_s=0.0, taken_at=NOW, overview=overview(), book=book)
    served = Served(models=list(models), source=SourceName.API, at_s=0)
    return model_rows(view, recent(view), served)


def ended(number: int, of: str, ago_ms: int, **fields: object) -> Row:
    """A prediction of a version that ended so long ago."""
    made = row(
        f"{number:032}", version=of, status=Status.SUCCEEDED, created_ms=NOW_MS - ago_ms - 100, is_detailed=True,
        started_ms=NOW_MS - ago_ms - 50, finished_ms=NOW_MS - ago_ms,
    )  # fmt: skip
    return structs.replace(made, model="m", **fields)


def test_batches_are_those_of_all_processes() -> None:
    """The mean is of all batches, the most the largest; a process that makes none changes nothing."""
    states = {
        "a": _batches(batches=10, mean_batch_size=1.0, max_batch_size=4, waiting=1, running=0),
        "b": _batches(batches=30, mean_batch_size=3.0, max_batch_size=16, waiting=2, running=1),
        "c": VersionState(state="asleep"),
    }
    (line,) = rows_of(models=[model(structs.replace(version("1"), processes=states))])
    assert line.batching == BatchingInfo(batches=40, mean_batch_size=2.5, max_batch_size=16, waiting=3, running=1)
    (line,) = rows_of(models=[model(version("1", a="ready"))])
    assert line.batching is None


def _batches(**figures: float) -> VersionState:
    return VersionState(state="ready", batching=msgspec.convert(figures, BatchingInfo))


def test_each_version_has_a_line_wherever_it_is_known_from() -> None:
    """From its deployment, from its predictions, or both; the most traffic first, a shadow behind it."""
    served = model(version("1", 0.9, a="ready"), version("2", 0.1, a="ready"), version("3", a="ready"), shadow="3")
    lines = rows_of(ended(1, "1", 1_000), ended(2, "old", 1_000), models=[served])
    assert [line.key for line in lines] == ["m@1", "m@2", "m@3", "m@old"]
    assert [line.is_shadow for line in lines] == [False, False, True, False]
    assert lines[0].stats is not None
    assert lines[1].stats is None
    assert lines[3].found is None


def test_its_state_is_that_of_all_processes_together() -> None:
    """One that fails counts for all; so does one that loads; asleep is what most processes are."""
    states = {
        Condition.FAILED: version("1", 1, a="ready", b="failed", c="loading"),
        Condition.LOADING: version("1", 1, a="ready", b="loading"),
        Condition.READY: version("1", 1, a="ready", b="asleep"),
        Condition.ASLEEP: version("1", 1, a="ready", b="asleep", c="asleep"),
        Condition.UNKNOWN: version("1", 1),
    }
    for condition, found in states.items():
        (line,) = rows_of(models=[model(found)])
        assert line.condition is condition
    (line,) = rows_of(models=[model(states[Condition.FAILED])])
    assert line.processes == (1, 3)


def test_rates_count_the_last_minute() -> None:
    """Whatever ended before that is not in them."""
    (line,) = rows_of(*[ended(number, "1", 1_000 * number) for number in range(120)])
    assert line.per_s == 1.0
    assert line.stats is not None
    assert line.stats.ended == 120


def test_a_version_has_a_call_to_copy() -> None:
    """Quoted for a shell, whatever stands in the example."""
    line = ModelRow(model="m", version="2", detail=model(input_example="it's"))
    assert call(line, "http://x:1/") == (
        "curl http://x:1/models/m/versions/2/predict -H 'Content-Type: application/json' "
        """-d '{"input":"it'"'"'s"}'"""
    )


def test_traffic_is_said_in_shares() -> None:
    """Of any sum."""
    assert traffic_text(Traffic(shares={"2": 9, "3": 1}, shadow="1")) == "2: 90 %, 3: 10 %, shadow 1"


def run_of(ago: int, wait: int, run: int) -> Row:
    """One that was asked for so long ago, and waited and ran for so long."""
    return row(
        f"{ago}-{wait}-{run}",
        status=Status.SUCCEEDED,
        created_ms=NOW_MS - ago,
        started_ms=NOW_MS - ago + wait,
        finished_ms=NOW_MS - ago + wait + run,
    )


ONE = st.builds(run_of, st.integers(0, 20_000), st.integers(0, 8_000), st.integers(1, 8_000))
RUNS = st.lists(ONE, min_size=1, max_size=30)


@given(RUNS)
def test_how_many_waited_is_what_counting_says(runs: list[Row]) -> None:
    """At the end of each column, as if each prediction was looked at."""
    runs.sort(key=lambda each: each.created_ms)
    step_ms, count = 1_000, 15
    values = waiting_over_time(runs, end_ms=NOW_MS, step_ms=step_ms, count=count)
    for column, value in enumerate(values):
        end_ms = NOW_MS - (count - 1 - column) * step_ms
        counted = sum(each.created_ms <= end_ms < (each.started_ms or 0) for each in runs)
        assert value == counted if value is not None else end_ms < runs[0].created_ms


@given(RUNS)
def test_run_times_stand_where_predictions_ended(runs: list[Row]) -> None:
    """A column has a value if one ended in it, and that is between their shortest and longest."""
    values = run_over_time(runs, end_ms=NOW_MS, step_ms=1_000, count=15)
    for column, value in enumerate(values):
        end_ms = NOW_MS - (14 - column) * 1_000
        times = [each.run_ms or 0 for each in runs if end_ms - 1_000 < (each.finished_ms or 0) <= end_ms]
        assert (value is not None) == bool(times)
        assert value is None or min(times) <= value <= max(times)
