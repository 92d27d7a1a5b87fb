"""The first screen: what needs attention and the latency heat map lead to what they are about."""

import re
from datetime import timedelta

import msgspec
import pytest

from tests.tui.facts import NOW, health, overview, reading, summary, worker
from tests.tui.screen import screen_text
from zypher_jobs.contracts.prediction import PredictionFailure, Priority, Status
from zypher_jobs.contracts.stats import PartHealth, QueueStats, WorkerStats
from zypher_jobs.testing import wait_until
from zypher_tui.app import Dashboard
from zypher_tui.core.queue_rows import queue_rows
from zypher_tui.core.readings import Reading, SourceName
from zypher_tui.core.store import Store
from zypher_tui.demo_states import demo_dashboard
from zypher_tui.screens.prediction import PredictionScreen
from zypher_tui.screens.predictions import PredictionsPane
from zypher_tui.widgets.attention import AttentionList
from zypher_tui.widgets.heat_map import HeatMap
from zypher_tui.widgets.queues import QueueTable


def alive(number: int) -> WorkerStats:
    """A worker whose heart beats."""
    return worker("w-1", seen_at=NOW + timedelta(seconds=number))


def failing(number: int) -> Reading:
    """A second of a system whose model fails, with one paused queue and 30 predictions that ended."""
    ended = [
        summary(
            f"p{each}",
            status=Status.FAILED if each < 28 else Status.SUCCEEDED,
            created_at=NOW - timedelta(seconds=each),
            started_at=NOW - timedelta(seconds=each - 0.1),
            finished_at=NOW - timedelta(seconds=each - 0.3),
            error=PredictionFailure(code="model_error", message="ConnectionError: refused") if each < 28 else None,
            fingerprint="9b1f" if each < 28 else "",
        )
        for each in range(1, 31)
    ]
    facts = msgspec.structs.replace(
        overview(latest=ended, workers=[alive(number)]),
        taken_at=NOW + timedelta(seconds=number),
        dead_letters=27,
    )
    ill = msgspec.structs.replace(
        health(), models={"digits": PartHealth(ok=False, detail="Cannot be loaded: no file.")}
    )
    return reading(SourceName.API, float(number), overview=facts, health=ill)


def dashboard_of(seconds: int) -> Dashboard:
    """A dashboard that watched it for so long."""
    store = Store()
    for number in range(1, seconds + 1):
        store.fold(failing(number))
    return Dashboard({}, api_url="http://127.0.0.1:8080", store=store, clock_s=lambda: float(seconds))


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
async def test_what_needs_attention_stands_on_top(size: tuple[int, int]) -> None:
    """The worst first, with its figures, what to do, and the key."""
    dashboard = dashboard_of(4)
    async with dashboard.run_test(size=size) as pilot:
        await pilot.pause()
        text = screen_text(dashboard)
        assert "Needs attention · 2 critical · 1 notice" in text
        assert "✗ critical Model digits cannot be loaded: no file." in text
        assert "a go there" in text
        if size[1] > 24:
            assert "mock: 27 of the last 30 predictions failed: ConnectionError: refused" in text


async def test_enter_on_an_item_leads_to_its_predictions() -> None:
    """By its filter, on the screen of predictions; one whose screen there is not, too."""
    dashboard = dashboard_of(4)
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.press("tab")
        assert isinstance(dashboard.focused, AttentionList)
        await pilot.press("down", "enter")
        await pilot.pause()
        assert isinstance(dashboard.pane, PredictionsPane)
        assert dashboard.pane.filter.text == "status:failed model:mock fingerprint:9b1f"
        assert "27 of 30" in screen_text(dashboard)


async def test_a_click_on_an_item_leads_to_its_screen() -> None:
    """A lost worker leads to the workers."""
    store = Store()
    for number in range(1, 9):
        facts = overview(workers=[alive(number), *([worker("w-2", running=2)] if number < 3 else [])])
        facts = msgspec.structs.replace(facts, taken_at=NOW + timedelta(seconds=number))
        store.fold(reading(SourceName.API, float(number), overview=facts, health=health()))
    dashboard = Dashboard({}, api_url="http://127.0.0.1:8080", store=store, clock_s=lambda: 8.0)
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        assert "Worker w-2 (node-1) was lost with 2 running." in screen_text(dashboard)
        await pilot.click("#attention", offset=(20, 1))
        await pilot.pause()
        assert dashboard.pane.id == "pane-workers"


async def test_a_cell_of_the_heat_map_leads_to_its_predictions() -> None:
    """To exactly as many as it counts."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.press("tab", "tab", "tab", "left", "left")
        heat = dashboard.focused
        assert isinstance(heat, HeatMap)
        cell = heat.selected
        assert cell is not None
        assert cell.count > 1
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(dashboard.pane, PredictionsPane)
        assert dashboard.pane.filter.text == cell.filter
        assert f" {cell.count} of " in screen_text(dashboard)


async def test_a_cell_of_one_prediction_opens_it() -> None:
    """By Enter, and by a double click."""
    store = Store()
    one = summary("p1", status=Status.SUCCEEDED, started_at=NOW, finished_at=NOW + timedelta(milliseconds=300))
    store.fold(reading(SourceName.API, 1.0, overview=overview(latest=[one], workers=[worker("w-1")]), health=health()))
    dashboard = Dashboard({}, api_url="http://127.0.0.1:8080", store=store, clock_s=lambda: 1.0)
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.press("tab", "tab", "tab", "enter")
        await pilot.pause()
        assert isinstance(dashboard.screen, PredictionScreen)
        await pilot.press("escape")
        heat = dashboard.query_one(HeatMap)
        lines = [heat.line_at(y).text for y in range(heat.size.height - 2)]
        x, y = next((line.index(block), y) for y, line in enumerate(lines) for block in "▀▄█" if block in line)
        await pilot.click("#heat", offset=(x + 1, y + 1), times=2)
        await pilot.pause()
        assert isinstance(dashboard.screen, PredictionScreen)


async def test_w_and_t_change_what_the_heat_map_shows() -> None:
    """Total, run and wait; 5 s, 10 s, 40 s and a minute in a column."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.press("w")
        await pilot.pause()
        assert "Latency · run" in screen_text(dashboard)
        heat = dashboard.query_one(HeatMap)
        steps = list[int]()
        for _ in range(4):
            await pilot.press("t")
            cell = heat.selected
            assert cell is not None
            steps.append(cell.until_ms - cell.from_ms)
        assert steps == [10_000, 40_000, 60_000, 5_000]


async def test_the_past_shows_what_needed_attention_then() -> None:
    """A step back to before the trouble began."""
    store = Store()
    for number in range(1, 31):
        facts = msgspec.structs.replace(
            overview(workers=[alive(number)]),
            taken_at=NOW + timedelta(seconds=number),
            redis_ms=0.3 if number < 15 else 90,
        )
        store.fold(reading(SourceName.API, float(number), overview=facts, health=health()))
    dashboard = Dashboard({}, api_url="http://127.0.0.1:8080", store=store, clock_s=lambda: 30.0)
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        assert "Redis takes 90 ms" in screen_text(dashboard)
        await pilot.press("[", "[")
        await pilot.pause()
        assert "Nothing needs attention." in screen_text(dashboard)
        await pilot.press("]")
        await pilot.pause()
        assert "Redis takes 90 ms" in screen_text(dashboard)


async def test_each_queue_says_when_it_will_be_empty_and_leads_to_what_waits_in_it() -> None:
    """At the rate at which its own end; a paused one says so, and all of them together stand over the chart."""
    queues = [
        QueueStats(name="high", depth=0, running=1, ended_per_s=4.0),
        QueueStats(name="normal", depth=120, running=4, oldest_age_ms=30_000.0, ended_per_s=2.0),
        QueueStats(name="low", depth=7, running=0, oldest_age_ms=90_000.0, paused=True, ended_per_s=0.0),
    ]
    facts = msgspec.structs.replace(
        overview(latest=[summary("a", priority=Priority.NORMAL)], workers=[alive(1)], depth=127),
        queues=queues,
        ended_per_s=6.0,
    )
    store = Store()
    store.fold(reading(SourceName.API, 1.0, overview=facts, health=health()))
    dashboard = Dashboard({}, api_url="http://127.0.0.1:8080", store=store, clock_s=lambda: 1.0)
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        text = screen_text(dashboard)
        assert re.search(r"normal +120 +30\.0 s +1m00s ", text), text
        assert re.search(r"low +7 +1m30s +■ paused ", text), text
        assert "Queue depth · empty in 20 s" in text
        dashboard.query_one(QueueTable).focus()
        await pilot.press("down", "enter")
        await wait_until(lambda: "Predictions · 1 of 1 · status:queued priority:normal" in screen_text(dashboard))


def test_of_an_older_server_each_queue_has_its_share_of_what_ends() -> None:
    """It says only what ends of all together; an even older one knows one queue."""
    queues = [QueueStats(name=name, depth=depth, running=0) for name, depth in (("high", 30), ("low", 10))]
    facts = msgspec.structs.replace(overview(depth=40), queues=queues, ended_per_s=8.0)
    assert [row.empty_s for row in queue_rows(facts)] == [5.0, 5.0]
    assert [row.drain.ended_per_s for row in queue_rows(facts)] == [6.0, 2.0]
    (only,) = queue_rows(msgspec.structs.replace(facts, queues=[]))
    assert (only.empty_s, only.filter) == (5.0, "status:queued")
    assert queue_rows(None) == []
