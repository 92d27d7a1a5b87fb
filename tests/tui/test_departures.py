"""Workers that went: how, and what became of what they ran."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from tests.tui.facts import NOW, overview, row, summary, worker
from zypher_jobs.contracts.event import Event
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.contracts.stats import Overview, WorkerStats
from zypher_tui.core.book import Book
from zypher_tui.core.departures import SHOWN_MS, Departures, Ending
from zypher_tui.core.rows import ms_of
from zypher_tui.core.store import Store
from zypher_tui.core.view import View
from zypher_tui.core.worker_rows import Condition, became, work_of, worker_rows


def seen(at: datetime, *workers: WorkerStats) -> Overview:
    """The figures of that time."""
    return structs.replace(overview(workers=list(workers)), taken_at=at)


def alive(worker_id: str, at: datetime, **fields: object) -> WorkerStats:
    """A worker that has just been heard of."""
    return worker(worker_id, seen_at=at, **fields)


def after(seconds: float) -> datetime:
    """That long after ``NOW``."""
    return NOW + timedelta(seconds=seconds)


def lost(prediction_id: str, worker_id: str) -> Event:
    """Somebody took it over."""
    return Event(event_id="1-0.0", at=NOW, prediction_id=prediction_id, status="lost", attempt=1, worker=worker_id)


def test_one_that_falls_silent_is_lost() -> None:
    """Its heartbeats end while it is still in the figures; then those are without it."""
    departures, book = Departures(), Book()
    book.put(row("a" * 32, status=Status.RUNNING, worker="w1"))
    departures.fold(seen(NOW, alive("w1", NOW), alive("w2", NOW)), book)
    departures.fold(seen(after(4), alive("w1", NOW), alive("w2", after(4))), book)
    assert departures.until(ms_of(after(4))) == ()
    departures.fold(seen(after(5.5), alive("w2", after(5.5))), book)
    (gone,) = departures.until(ms_of(after(6)))
    assert (gone.worker.worker_id, gone.ending, gone.gone_ms) == ("w1", Ending.LOST, ms_of(after(5.5)))
    assert gone.prediction_ids == ("a" * 32,)
    assert departures.until(ms_of(after(5))) == ()  # as it was then
    assert departures.until(ms_of(after(6)) + SHOWN_MS) == ()


def test_what_others_took_over_belongs_to_it_before_and_after() -> None:
    """An event may come before the figures are without it, or later."""
    departures, book = Departures(), Book()
    departures.hear([lost("a" * 32, "w1")])
    departures.fold(seen(NOW, alive("w1", NOW)), book)
    departures.fold(seen(after(1)), book)
    departures.hear([lost("b" * 32, "w1"), lost("b" * 32, "w1")])
    (gone,) = departures.until(ms_of(after(2)))
    assert gone.ending is Ending.LOST
    assert gone.prediction_ids == ("a" * 32, "b" * 32)


def test_one_that_says_goodbye_is_not_lost() -> None:
    """It is gone within a second of its last heartbeat."""
    departures, book = Departures(), Book()
    departures.fold(seen(NOW, alive("w1", NOW, draining=True), alive("w2", NOW)), book)
    departures.fold(seen(after(1)), book)
    endings = {gone.worker.worker_id: gone.ending for gone in departures.until(ms_of(after(1)))}
    assert endings == {"w1": Ending.DRAINED, "w2": Ending.STOPPED}


def test_how_one_went_while_nobody_looked_is_not_known() -> None:
    """Between two readings that are far apart; it is lost only if something says so. The same of what was recorded."""
    departures, book = Departures(), Book()
    departures.fold(seen(after(60), alive("w3", after(60))), book)
    departures.fold_earlier(
        [seen(NOW, alive("w1", NOW), alive("w3", NOW)), seen(after(10), alive("w3", after(10)))], book
    )
    (gone,) = departures.until(ms_of(after(60)))
    assert (gone.worker.worker_id, gone.ending, gone.gone_ms) == ("w1", Ending.GONE, ms_of(after(10)))
    departures.hear([lost("a" * 32, "w1")])
    assert departures.until(ms_of(after(60)))[0].ending is Ending.LOST


def test_one_that_comes_back_was_never_gone() -> None:
    """A heartbeat was late."""
    departures, book = Departures(), Book()
    for overviewed in (seen(NOW, alive("w1", NOW)), seen(after(6)), seen(after(7), alive("w1", after(7)))):
        departures.fold(overviewed, book)
    assert departures.until(ms_of(after(8))) == ()


@given(st.lists(st.sets(st.sampled_from(["w1", "w2", "w3"])), max_size=30))
def test_gone_are_those_that_were_there_and_are_not(seens: list[set[str]]) -> None:
    """Whatever comes and goes: each is alive, or gone, or was never seen."""
    departures, book = Departures(), Book()
    ever: set[str] = set()
    for second, names in enumerate(seens):
        departures.fold(seen(after(second), *(alive(name, after(second)) for name in names)), book)
        ever |= names
        gone = {each.worker.worker_id for each in departures.until(ms_of(after(second)))}
        assert gone == ever - names


def test_a_view_says_what_became_of_a_lost_workers_predictions() -> None:
    """Now, and as it was in the past; a worker that is gone stands below those that are there."""
    store = Store()
    store.book.fold([summary("a" * 32, status=Status.SUCCEEDED, worker="w2", attempts=2, started_at=after(5),
                             finished_at=after(8)), summary("b" * 32, status=Status.RUNNING, worker="w1",
                             started_at=NOW)])  # fmt: skip
    store.departures.fold(seen(NOW, alive("w1", NOW)), store.book)
    store.departures.hear([lost("a" * 32, "w1"), lost("b" * 32, "w1")])
    store.departures.fold(seen(after(5), alive("w2", after(5))), store.book)
    facts = seen(after(10), alive("w2", after(10)))
    view = View(
        now_s=10,
        overview_at_s=10,
        taken_at=facts.taken_at,
        overview=facts,
        book=store.book,
        departures=store.departures,
    )
    ready, gone = worker_rows(view, with_departed=True)
    assert (ready.condition, gone.condition) == (Condition.READY, Condition.LOST)
    assert worker_rows(view, with_departed=False) == [ready]
    assert gone.gone_for_ms == 5_000
    work = work_of(view, gone)
    assert became(work, "w1") == "it held 2: 1 not yet recovered, 1 succeeded"
    assert became([], "w1") == "it held nothing"
