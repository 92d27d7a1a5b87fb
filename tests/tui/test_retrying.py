"""Asking again for what waits: ``r`` and ``R`` retry it now, against a real API, in the demo, and as it is decided."""

import pytest

from tests.api.running import RunningApi
from tests.api.test_retry import pause
from tests.tui.acting import dashboard_on, known, said, statuses, waiting
from tests.tui.living import system_at
from tests.tui.screen import screen_text
from tests.tui.test_demo_acting import all_of, now_ms, operator_on
from zypher_jobs.contracts.prediction import Status
from zypher_tui.core.deeds import CannotBeMeant, Verb, again, choose, choose_ids, named_statuses
from zypher_tui.core.filters import parse
from zypher_tui.core.rows import Row
from zypher_tui.demo_states import demo_dashboard
from zypher_tui.sources.operator import OperatorError
from zypher_tui.widgets.predictions import PredictionTable

QUEUED, RUNNING, FAILED = Status.QUEUED, Status.RUNNING, Status.FAILED


@pytest.mark.parametrize(
    ("statuses", "verb"),
    [
        ([QUEUED], Verb.RETRY),
        ([QUEUED, RUNNING], Verb.RETRY),
        ([QUEUED, FAILED], Verb.REPLAY),
        ([RUNNING], Verb.REPLAY),
        ([], Verb.REPLAY),
    ],
)
def test_what_waits_is_retried_and_what_ended_is_replayed(statuses: list[Status], verb: Verb) -> None:
    """Of both, those that ended; of what runs only, the server says that it has not."""
    assert again(statuses) is verb


def test_a_filter_of_what_waits_means_all_that_waits() -> None:
    """In the server's words; which of them wait for a time it knows itself. What runs cannot be retried."""
    assert named_statuses(parse("model:mock")) is None
    rows = [
        Row(prediction_id=each, status=status, created_ms=1, model="mock")
        for each, status in (("a", QUEUED), ("b", FAILED))
    ]
    choice = choose(Verb.RETRY, parse("status:queued model:mock"), rows, now_ms=0)
    assert choice.bodies(Verb.RETRY) == [{"status": "queued", "model": "mock"}]
    assert choice.known == ("a",)
    assert choose(Verb.RETRY, parse("status:queued attempts>0"), rows, now_ms=0).ids == ("a",)
    with pytest.raises(CannotBeMeant, match="What is running cannot be retried; only what is queued"):
        choose(Verb.RETRY, parse("status:running"), rows, now_ms=0)


async def test_r_on_what_waits_has_it_be_due(api: RunningApi) -> None:
    """At once, without a question; pressed again, and on what waits for its turn, the server says why it is left."""
    paused, due = await waiting(api, 2)
    await pause(api.services.queue, [paused])
    async with dashboard_on(api.settings) as (dashboard, pilot):
        await known(dashboard, 2, QUEUED)
        await said(dashboard, "waits to retry")
        table = dashboard.query_one(PredictionTable)
        table.select(lambda row: row.prediction_id == paused)
        await pilot.press("r")
        await said(dashboard, f"Retried {paused[:8]}: its next attempt is due now.")
        assert (await api.get(f"/predict/{paused}")).json()["due_at"] is None
        await pilot.press("r")
        await said(dashboard, f"Prediction '{paused}' is due already")
        table.select(lambda row: row.prediction_id == due)
        await pilot.press("r")
        await said(dashboard, f"Prediction '{due}' is due already")
    assert await statuses(api, [paused, due]) == ["queued", "queued"]


async def test_marks_and_filters_are_retried_after_a_question(api: RunningApi) -> None:
    """With the server's own count of those that wait for a time; where one of them ended, they are replayed."""
    ids = await waiting(api, 4)
    await pause(api.services.queue, ids[:3])
    async with dashboard_on(api.settings) as (dashboard, pilot):
        await known(dashboard, 4, QUEUED)
        await pilot.press("space", "space", "space", "space", "r")
        await said(dashboard, "The server counts 3 that can be retried. 1 cannot be: ")
        await pilot.press("n", "u", "slash", *"status:queued", "enter", "R")
        await said(dashboard, "The server counts 3 that can be retried.")
        await said(dashboard, "y  yes, retry them")
        await pilot.press("y")
        await said(dashboard, "Retried 3 predictions.")
        await api.delete(f"/predict/{ids[0]}")
        await known(dashboard, 3, QUEUED)
        await pilot.press("escape", "space", "space", "space", "space", "r")
        await said(dashboard, "Replay 1 prediction?")
    entries = (await api.get("/audit?action=predictions.retry")).json()["entries"]
    assert [entry["count"] for entry in entries] == [3]


@pytest.mark.parametrize("state", ["live", "replay"])
async def test_the_palette_has_the_one_that_can_be_done(state: str) -> None:
    """Of one that ended, its replay; of one that waits, its retry."""
    dashboard = demo_dashboard(state)
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.press("2", "slash", *"status:succeeded", "enter", "colon", *"retry")
        assert "Replay" in screen_text(dashboard)
        assert "Retry now" not in screen_text(dashboard)
        await pilot.press("escape", "slash", "ctrl+u", *"status:queued", "enter", "colon", *"replay")
        assert "Retry them all now" in screen_text(dashboard)
        assert "Replay" not in screen_text(dashboard)


async def test_the_demo_retries_as_a_server_does() -> None:
    """What waits for its time runs before it; the others are refused in the same words."""
    system = system_at(20)
    while len(later := [run for run in system.every if system.waits_for_a_time(run)]) < 2:
        system.advance(system.now_s + 1)
    operator = operator_on(system)
    one, *others = later
    assert all(run.summary(system.now_s).due_at is not None for run in later)
    assert (await operator.one(Verb.RETRY, one.prediction_id)).sentence.startswith("Retried ")
    assert one.summary(system.now_s).due_at is None
    running = next(run for run in system.every if run.status is RUNNING)
    ended = next(run for run in system.every if run.status.is_terminal)
    for prediction_id, why in (
        (one.prediction_id, "is due already; it waits for its turn"),
        (running.prediction_id, "is running already."),
        (ended.prediction_id, "has ended; replay it"),
    ):
        with pytest.raises(OperatorError, match=why):
            await operator.one(Verb.RETRY, prediction_id)
    counted = await operator.count(Verb.RETRY, choose_ids([each.prediction_id for each in later]))
    assert (counted.possible, counted.skipped) == (len(others), 1)
    choice = choose(Verb.RETRY, parse("status:queued"), (), now_ms=now_ms(system))
    assert await all_of(operator, Verb.RETRY, choice) == (
        len(others),
        f"Retried {len(others)} prediction{'s' if len(others) > 1 else ''}.",
    )
    assert not any(system.waits_for_a_time(run) for run in later)
    system.paused.clear()
    system.advance(system.now_s + 10)
    assert all(run.attempts > 1 for run in later)
    await operator.aclose()
