"""The mouse: along the bar of times, on what needs attention and its keys, and its wheel."""

from datetime import timedelta

import pytest
from textual import events
from textual.pilot import Pilot

from tests.api.running import RunningApi
from tests.tui.acting import dashboard_on, waiting
from tests.tui.facts import NOW, health, overview, reading, summary
from tests.tui.mouse import wheel
from tests.tui.screen import dashboard_over, screen_lines, screen_text
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.settings import Settings
from zypher_jobs.testing import wait_until
from zypher_tui.app import Dashboard
from zypher_tui.core import cells
from zypher_tui.core.readings import SourceName
from zypher_tui.demo_states import demo_dashboard
from zypher_tui.screens.pane import Opened
from zypher_tui.screens.prediction import PredictionScreen
from zypher_tui.widgets.letters import LetterTable
from zypher_tui.widgets.predictions import PredictionTable
from zypher_tui.widgets.time_bar import TimeBar


def bar_of(dashboard: Dashboard) -> tuple[int, int, int]:
    """Where the bar begins, where the time that is shown stands, and where it ends."""
    text = next(line for line in screen_lines(dashboard) if " ‖ " in line)
    cells = [at for at, cell in enumerate(text) if cell in "━●─▲"]
    return cells[0], text.index("●"), cells[-1]


async def paused(dashboard: Dashboard, pilot: Pilot[int]) -> None:
    """Stop at this time."""
    await wait_until(lambda: dashboard.feeds.is_reading)
    await pilot.press("p")
    await pilot.pause()


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
async def test_a_click_on_the_bar_of_times_goes_to_that_time(size: tuple[int, int]) -> None:
    """To the first that is known at its begin, to now at its end; dragging goes along."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=size) as pilot:
        await paused(dashboard, pilot)
        first, at, last = bar_of(dashboard)
        assert at == last
        first_s, now_s = dashboard.store.timeline.first_s or 0.0, dashboard.now_s
        for cell in (first, (first + last) // 2, last):
            await pilot.click("#time", offset=(cell, 0))
            await pilot.pause()
            assert bar_of(dashboard) == (first, cell, last)
            share = (cell - first) / (last - first)
            assert abs(dashboard.view.now_s - (first_s + share * (now_s - first_s))) < 0.01
        await pilot.mouse_down("#time", offset=(first + 4, 0))
        await pilot.hover("#header", offset=(first, 0))
        await pilot.mouse_up("#header", offset=(first, 0))
        await pilot.pause()
        assert dashboard.view.now_s == first_s
        await pilot.hover("#time", offset=(last, 0))
        await pilot.pause()
        assert dashboard.view.now_s == first_s, "the mouse has let go"


async def test_keys_beside_the_bar_of_times_are_pressed() -> None:
    """Back, on, and to now."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await paused(dashboard, pilot)
        for key, past_s in (("[ ] 10", 10), ("{ } 5", 149), ("] 10", 139), ("p now", None)):
            text = next(line for line in screen_lines(dashboard) if " ‖ " in line)
            await pilot.click("#time", offset=(text.index(key), 0))
            await pilot.pause()
            assert dashboard.view.past_s == past_s


async def test_where_there_is_little_room_the_bar_has_it() -> None:
    """Keys beside it go, the last one at last; a click on what is no key presses none."""
    dashboard = demo_dashboard("replay")
    async with dashboard.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        first, _, last = bar_of(dashboard)
        assert last - first >= 7
        assert "p play or stop" in screen_text(dashboard)
        at_s = dashboard.view.now_s
        await pilot.click("#time", offset=(5, 0))
        await pilot.pause()
        assert dashboard.view.now_s == at_s
        for columns in range(61, 120, 7):
            await pilot.resize_terminal(columns, 24)
            await pilot.pause()
            assert cells.width(next(line for line in screen_lines(dashboard) if " ‖ " in line)) == columns


async def test_the_bar_of_a_predictions_screen_works_as_well() -> None:
    """The time is that of all screens."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await paused(dashboard, pilot)
        row = next(row for row in dashboard.view.rows if row.status is Status.SUCCEEDED)
        dashboard.post_message(Opened(row.prediction_id))
        await wait_until(lambda: isinstance(dashboard.screen, PredictionScreen) and " ‖ " in screen_text(dashboard))
        first, _, _ = bar_of(dashboard)
        await pilot.click(dashboard.screen.query_one(TimeBar), offset=(first, 0))
        await wait_until(lambda: dashboard.view.now_s == dashboard.store.timeline.first_s)
        await wait_until(lambda: "It had not been asked for then." in screen_text(dashboard))


async def test_a_recording_plays_on_from_where_its_bar_was_clicked() -> None:
    """It stops nothing."""
    dashboard = demo_dashboard("replay")
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await pilot.press("p")
        first, _, last = bar_of(dashboard)
        await pilot.click("#time", offset=((first + last) // 2, 0))
        await pilot.pause()
        at_s = dashboard.view.now_s
        await wait_until(lambda: dashboard.view.now_s > at_s)
        await pilot.press("p")
        first_s, last_s = dashboard.store.timeline.first_s or 0.0, dashboard.store.timeline.last_s or 0.0
        assert dashboard.view.now_s < (first_s + last_s) / 2 + 60


async def test_the_wheel_scrolls_tables() -> None:
    """The cursor stays where it is."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await wait_until(lambda: dashboard.feeds.is_reading)
        for key, kind, name in (("2", PredictionTable, "#predictions"), ("5", LetterTable, "#letters")):
            await pilot.press(key)
            table = dashboard.query_one(name, kind)
            await wait_until(lambda table=table: len(table.rows) > table.size.height > 0)
            selected = table.selected
            await wheel(pilot, table, down=True, times=3)
            assert table.scroll_offset.y > 0
            assert table.shown.start == table.scroll_offset.y
            await wheel(pilot, table, down=False, times=5)
            assert table.scroll_offset.y == 0
            assert table.selected == selected


async def test_the_second_click_of_two_opens_nothing_on_another_screen() -> None:
    """Who clicks twice on what needs attention is led there, and no further; twice on a row opens it."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await wait_until(lambda: dashboard.feeds.is_reading)
        await pilot.press("2")
        await pilot.click("#predictions", offset=(20, 3))
        table = dashboard.query_one("#predictions", PredictionTable)
        assert table.selected == table.row_at(1)
        await pilot.press("1", "2")
        await pilot.pause()
        table.post_message(second_click(table))
        await pilot.pause()
        assert len(dashboard.screen_stack) == 1
        await pilot.click("#predictions", offset=(20, 5), times=2)
        await wait_until(lambda: isinstance(dashboard.screen, PredictionScreen))
        opened = dashboard.screen
        assert isinstance(opened, PredictionScreen)
        assert opened.prediction_id == table.row_at(3).prediction_id


async def test_of_two_clicks_the_first_says_what_is_opened() -> None:
    """Also when rows came in above it between the two."""
    rows = [summary(f"{number}", created_at=NOW + timedelta(seconds=number)) for number in range(9)]
    dashboard = dashboard_over(reading(SourceName.API, 1, overview=overview(latest=rows[:5]), health=health()))
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.press("2")
        await pilot.click("#predictions", offset=(20, 4))
        table = dashboard.query_one("#predictions", PredictionTable)
        assert table.selected is not None
        first = table.selected.prediction_id
        dashboard.store.fold(reading(SourceName.API, 1, overview=overview(latest=rows), health=health()))
        dashboard.pane.show_view(dashboard.view)
        table.post_message(second_click(table))
        await wait_until(lambda: isinstance(dashboard.screen, PredictionScreen))
        opened = dashboard.screen
        assert isinstance(opened, PredictionScreen)
        assert opened.prediction_id == first


def second_click(table: PredictionTable) -> events.Click:
    """Of two, on the third row."""
    x, y = table.content_region.x + 5, table.content_region.y + 3
    return events.Click(
        widget=table, x=5, y=3, delta_x=0, delta_y=0, button=1, shift=False, meta=False, ctrl=False, screen_x=x,
        screen_y=y, chain=2,
    )  # fmt: skip


async def test_a_click_on_resume_resumes_the_queue(api: RunningApi, settings: Settings) -> None:
    """Over a real API and server: the key of the item, clicked."""
    await waiting(api, 3)
    (await api.post("/queues/normal/pause")).raise_for_status()
    async with dashboard_on(settings) as (dashboard, pilot):
        await pilot.press("1")
        await wait_until(lambda: "Queue normal is paused: 3 predictions wait." in screen_text(dashboard))
        await pilot.press("a")
        at = next(at for at, item in enumerate(dashboard.view.items) if item.subject == "normal")
        await pilot.press(*["down"] * at)
        await wait_until(lambda: "R resume" in screen_text(dashboard))
        lines = screen_lines(dashboard)
        y = next(y for y, line in enumerate(lines) if "R resume" in line)
        await pilot.click(offset=(lines[y].index("R resume"), y))
        await wait_until(lambda: "Queue normal is paused" not in screen_text(dashboard))
        queues = (await api.get("/queues")).json()
        assert "true" not in str([queue["paused"] for queue in queues["queues"]]).lower()
