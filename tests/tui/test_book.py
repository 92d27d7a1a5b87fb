"""The fold of summaries and events into rows, and what filters select of them, against the plainest way to say it."""

import itertools
import time
from collections.abc import Callable
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tui.facts import NOW, NOW_MS, summary
from zypher_jobs.contracts.event import Event
from zypher_jobs.contracts.prediction import PredictionFailure, PredictionSummary, Status
from zypher_tui.core.book import Book, Newest
from zypher_tui.core.filters import parse
from zypher_tui.core.rows import Row
from zypher_tui.core.selection import Selection

IDS = ["a", "b", "c", "d", "e"]


def event(prediction_id: str, status: str, at_ms: int, **fields: object) -> Event:
    """Something that happened ``at_ms`` after ``NOW``."""
    told = {"event_id": f"{at_ms}-0.1", "at": NOW + timedelta(milliseconds=at_ms), "model": "mock"} | fields
    return Event(prediction_id=prediction_id, status=status, **told)  # pyright: ignore[reportArgumentType]


@st.composite
def lives(draw: st.DrawFn) -> list[Event]:
    """What happens to some predictions, each in an order that can be, mixed."""
    told: list[list[Event]] = []
    for prediction_id in draw(st.lists(st.sampled_from(IDS), unique=True)):
        at_ms = draw(st.integers(0, 50))
        mine = [event(prediction_id, "queued", at_ms)]
        for attempt in range(1, draw(st.integers(1, 3)) + 1):
            at_ms += draw(st.integers(1, 50))
            mine.append(event(prediction_id, "running", at_ms, model="", attempt=attempt, worker=f"w{attempt}"))
            if draw(st.booleans()):
                mine.append(event(prediction_id, "lost", at_ms + 1, model="", attempt=attempt))
                mine.append(event(prediction_id, "queued", at_ms + 1))
        if draw(st.booleans()):
            ending = draw(st.sampled_from(["succeeded", "failed", "canceled", "expired"]))
            mine.append(event(prediction_id, ending, at_ms + draw(st.integers(1, 50)), worker="w9"))
        told.append(mine)
    order = draw(st.permutations([index for index, mine in enumerate(told) for _ in mine]))
    streams = [iter(mine) for mine in told]
    return [next(streams[index]) for index in order]


def summaries_after(events: list[Event]) -> dict[str, PredictionSummary]:
    """What the server would say after these events, said in the plainest way."""
    said: dict[str, PredictionSummary] = {}
    for each in events:
        known = said.get(each.prediction_id) or summary(each.prediction_id, model=each.model, created_at=each.at)
        fields: dict[str, object] = {"attempts": max(known.attempts, each.attempt)}
        if each.worker:
            fields["worker"] = each.worker
        if each.status == "running":
            fields |= {"status": Status.RUNNING, "started_at": each.at}
        elif each.status == "queued":
            fields |= {"status": Status.QUEUED, "started_at": None}
        elif each.status != "lost":
            fields |= {"status": Status(each.status), "finished_at": each.at}
        said[each.prediction_id] = PredictionSummary(
            **{name: getattr(known, name) for name in known.__struct_fields__} | fields  # pyright: ignore[reportArgumentType]
        )
    return said


def plain(row: Row) -> tuple[object, ...]:
    """What events alone can say of a row."""
    return (row.prediction_id, row.status, row.created_ms, row.model, row.attempts, row.started_ms, row.finished_ms)


@given(lives())
def test_events_say_what_the_server_would(events: list[Event]) -> None:
    """Heard one by one, all at once, or in pieces: the rows are those of the summaries that there would be."""
    one, many = Book(), Book()
    many.hear(events)
    for each in events:
        one.hear([each])
    expected = sorted(
        (Row.of(each) for each in summaries_after(events).values()), key=lambda row: (row.created_ms, row.prediction_id)
    )
    assert [plain(row) for row in one] == [plain(row) for row in many] == [plain(row) for row in expected]


@given(lives(), st.data())
def test_summaries_and_events_may_come_in_any_mixture(events: list[Event], data: st.DataObject) -> None:
    """Summaries read at any time before, events heard twice or again from earlier on: the end is the same."""
    book = Book()
    for number, each in enumerate(events):
        book.hear([each])
        if data.draw(st.booleans()):
            book.fold(summaries_after(events[: number + 1]).values())
    again = data.draw(st.integers(0, len(events)))
    book.hear(events[again:])
    final = summaries_after(events)
    book.fold(final.values())
    assert {row.prediction_id: plain(row) for row in book} == {
        each.prediction_id: plain(Row.of(each)) for each in final.values()
    }
    assert [row.order for row in book] == sorted(row.order for row in book)


def test_what_has_ended_does_not_begin_again() -> None:
    """A summary that was read before its end comes in after it."""
    book = Book()
    book.hear([event("a", "queued", 0), event("a", "running", 5, attempt=1), event("a", "failed", 9)])
    book.fold([summary("a", status=Status.RUNNING, attempts=1)])
    row = book.get("a")
    assert row is not None
    assert row.status is Status.FAILED
    assert book.take_undetailed(10) == ["a"]
    assert book.take_undetailed(10) == []


def test_a_full_book_lets_go_of_the_oldest() -> None:
    """And of nothing else; a selection follows."""
    book = Book(capacity=2_000)
    selection = Selection(book, parse("model:mock"), now_ms=NOW_MS)
    book.fold(summary(f"{number:06}", created_at=NOW + timedelta(seconds=number)) for number in range(2_500))
    assert 1_000 < len(book) <= 2_000
    assert [row.prediction_id for row in selection.rows[:2]] == ["002499", "002498"]
    assert len(selection.rows) == len(book)
    assert book.get("000000") is None
    book.forget(["002499", "nobody"])
    assert selection.rows[0].prediction_id == "002498"


@given(st.lists(st.tuples(st.sampled_from(IDS), st.integers(0, 99)), max_size=20), st.integers(0, 99))
def test_newest_first_is_the_list_turned_around(rows: list[tuple[str, int]], until_ms: int) -> None:
    """Indexes from both ends, slices, and where a row stands."""
    book = Book()
    book.fold(summary(f"{name}{at_ms}", created_at=NOW + timedelta(milliseconds=at_ms)) for name, at_ms in rows)
    expected = [row for row in reversed(list(book)) if row.created_ms <= NOW_MS + until_ms]
    newest = Newest(book.rows, book.until(NOW_MS + until_ms))
    assert list(newest) == expected
    assert newest[:3] == expected[:3]
    assert [newest[index - len(newest)] for index in range(len(newest))] == expected
    assert [newest.find(row) for row in expected] == list(range(len(expected)))
    later = [row for row in book if row.created_ms > NOW_MS + until_ms]
    assert all(newest.find(row) is None for row in later)


def slow_clock() -> Callable[[], float]:
    """Each look at it takes so long that a search gets one step."""
    return itertools.count(0.0, 0.6).__next__


def test_rows_that_leave_while_they_are_shown_are_shown_no_more() -> None:
    """A frame may be drawn between that and the next view: it has what is left."""
    book = Book()
    book.fold(summary(str(number), created_at=NOW + timedelta(milliseconds=number)) for number in range(3))
    shown = Newest(book.rows, book.until(None))
    book.forget(["1"])
    assert [each.prediction_id for each in shown] == [shown[0].prediction_id, shown[-1].prediction_id] == ["2", "0"]
    book.forget(["0", "2"])
    assert list(shown) == []
    assert not shown


@settings(deadline=None)
@given(st.lists(lives(), max_size=4), st.sampled_from(["status:failed", "-status:queued", "attempts>1", "age<1h w2"]))
def test_a_selection_is_what_its_filter_keeps(rounds: list[list[Event]], text: str) -> None:
    """Whatever happens while it is being found."""
    book = Book()
    kept = parse(text)
    book.fold(
        summary(f"old{number}", status=Status.FAILED, created_at=NOW - timedelta(minutes=number)) for number in range(9)
    )
    selection = Selection(book, kept, now_ms=NOW_MS)
    for number, events in enumerate(rounds):
        if number == 1:
            selection.look(1, slow_clock())
        book.hear(events)
        book.forget([f"old{number}"])
    while not selection.is_complete:
        selection.look(1, slow_clock())
    assert list(selection.rows) == [row for row in reversed(list(book)) if kept.keeps(row, NOW_MS)]
    selection.close()


def test_ages_go_on() -> None:
    """What becomes too old leaves at the next look, what becomes old enough comes."""
    book = Book()
    book.fold(summary(str(minute), created_at=NOW - timedelta(minutes=minute)) for minute in (10, 50, 70))
    young, old = (Selection(book, parse(text), now_ms=NOW_MS) for text in ("age<1h", "age>1h"))
    for selection in (young, old):
        selection.look(1, time.perf_counter)
    assert [[row.prediction_id for row in each.rows] for each in (young, old)] == [["10", "50"], ["70"]]
    for selection in (young, old):
        selection.age(NOW_MS + 20 * 60_000)
        selection.look(1, time.perf_counter)
    assert [row.prediction_id for row in young.rows] == ["10"]
    assert [row.prediction_id for row in old.rows] == ["50", "70"]


def test_the_past_is_what_was_known_of_it_then() -> None:
    """A prediction that failed at 9 s was running at 6 s, queued at 2 s, and not there before 0 s."""
    book = Book()
    book.fold(
        [
            summary(
                "a",
                status=Status.FAILED,
                attempts=1,
                worker="w",
                started_at=NOW + timedelta(seconds=5),
                finished_at=NOW + timedelta(seconds=9),
                error=PredictionFailure(code="model_error", message="no"),
            )
        ]
    )
    found: list[tuple[int, str]] = []
    for second in (-1, 2, 6, 9):
        at_ms = NOW_MS + second * 1000
        for status in Status:
            selection = Selection(book, parse(f"status:{status}"), now_ms=at_ms, as_of_ms=at_ms)
            selection.look(1, time.perf_counter)
            found += [(second, status.value) for _ in selection.rows]
    assert found == [(2, "queued"), (6, "running"), (9, "failed")]
    row = next(iter(book))
    assert row.as_of(NOW_MS + 2_000).error_code == ""
    assert row.as_of(NOW_MS + 9_000) is row
