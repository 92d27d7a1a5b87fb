"""The simulated system: always the same, and with something in it for every screen."""

from contextlib import aclosing

import pytest

from tests.tui.living import system_at
from zypher_jobs.contracts.prediction import Mode, Priority, Status
from zypher_jobs.contracts.webhook import DeliveryState
from zypher_tui.core.book import Book
from zypher_tui.core.readings import SourceName
from zypher_tui.core.rows import Row
from zypher_tui.sources.demo import DemoSource, DemoSystem
from zypher_tui.sources.source import SourceAway


def test_the_same_time_tells_the_same() -> None:
    """However often it was asked before."""
    asked = DemoSystem()
    for tenth in range(0, 1_300, 7):
        asked.advance(tenth / 10)
        asked.overview()
        asked.page(None, 10)
    asked.advance(130)
    once = system_at(130)
    assert asked.overview() == once.overview()
    assert asked.dead_letters() == once.dead_letters()
    assert asked.page(None, 100_000) == once.page(None, 100_000)
    assert asked.events(None) == once.events(None)


def test_every_screen_has_something_to_show() -> None:
    """Kinds of errors, a worker that was lost and one that drains, a paused queue, retries, callers, deliveries."""
    system = system_at(150)
    overview = system.overview()
    summaries, _ = system.page(None, 100_000)
    assert {status for status in Status if status is not Status.CANCELED} <= {each.status for each in summaries}
    assert {each.mode for each in summaries} == set(Mode)
    assert len({each.caller for each in summaries}) > 3
    assert {each.model for each in summaries} == {"mock", "digits", "fraud-scorer"}
    assert {each.version for each in summaries if each.model == "fraud-scorer"} == {"1", "2"}
    assert [queue.name for queue in overview.queues if queue.paused] == [Priority.LOW]
    assert any(worker.draining and worker.running for worker in overview.workers)
    letters = system.dead_letters()
    assert len({letter.fingerprint for letter in letters}) == 3
    assert all(letter.traceback.startswith("Traceback") for letter in letters)
    assert overview.dead_letters == len(letters)
    lost = [event for event in system.events(None) if event.status == "lost"]
    assert lost
    assert all(system.prediction(event.prediction_id).past_attempts[0].error.code == "worker_lost" for event in lost)
    states = {delivery.state for each in summaries for delivery in system.deliveries(each.prediction_id)}
    assert states >= {DeliveryState.DELIVERED, DeliveryState.PENDING}
    assert system.given(summaries[0].prediction_id) is not None


def test_pages_follow_on_each_other() -> None:
    """Also beyond the start, to the end; nothing comes twice."""
    system = system_at(20)
    seen: list[str] = []
    before, pages = None, 0
    while pages == 0 or before is not None:
        found, before = system.page(before, 200)
        seen += [each.prediction_id for each in found]
        pages += 1
    assert pages > 10
    assert len(set(seen)) == len(seen)
    assert seen == [each.prediction_id for each in system.page(None, 100_000)[0]]


async def test_events_tell_what_summaries_tell() -> None:
    """Whoever hears all of them knows of each prediction how it stands; a source that is away breaks off."""
    now_s = 0.0
    system, book = DemoSystem(), Book()
    source = DemoSource(SourceName.API, system, lambda: now_s)
    async with aclosing(source.events(None)) as events:
        for second in range(10, 131, 40):
            now_s = float(second)
            book.hear(await anext(events))
    told = {each.prediction_id: Row.of(each) for each in await source.summaries([row.prediction_id for row in book])}
    assert len(told) == len(book)
    for row in book:
        assert (row.status, row.worker) == (told[row.prediction_id].status, told[row.prediction_id].worker), row
    system.away.add(SourceName.API)
    with pytest.raises(SourceAway):
        await anext(source.events(None))
