"""The keys of the screens lead there from one prediction's life, too, and each screen is then as it stands."""

from functools import partial

import pytest
from textual.pilot import Pilot

from tests.tui.screen import PANES, screen_text, stands_still
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.testing import wait_until
from zypher_tui.app import Dashboard
from zypher_tui.demo_states import demo_dashboard
from zypher_tui.screens.pane import Opened
from zypher_tui.screens.prediction import PredictionScreen

SIZES = [(80, 24), (200, 60)]


async def open_failed(dashboard: Dashboard, pilot: Pilot[int]) -> None:
    """One of which a good one is known before it."""
    row = next(row for row in dashboard.view.rows if row.status is Status.FAILED)
    dashboard.post_message(Opened(row.prediction_id))
    await wait_until(lambda: "l opens it" in screen_text(dashboard) or len(dashboard.screen_stack) > 1)
    await stands_still(partial(screen_text, dashboard))


@pytest.mark.parametrize("size", SIZES)
async def test_a_key_leads_to_its_screen_as_it_stands(size: tuple[int, int]) -> None:
    """From one prediction, and from one that was opened from another; to the one that was left and to any other."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=size) as pilot:
        await wait_until(lambda: dashboard.feeds.is_reading)
        stood: dict[str, str] = {}
        for key in "654321":
            await pilot.press(key)
            await stands_still(partial(screen_text, dashboard))
            stood[key] = screen_text(dashboard)
        for key in "1234561":
            await open_failed(dashboard, pilot)
            await pilot.press("l")
            await stands_still(partial(screen_text, dashboard))
            assert [type(screen) for screen in dashboard.screen_stack[1:]] == [PredictionScreen] * 2
            await pilot.press(key)
            await stands_still(partial(screen_text, dashboard))
            assert dashboard.screen_stack == [dashboard.screen]
            assert PANES[int(key) - 1].replace("-", " ").capitalize() == dashboard.pane.TITLE
            assert screen_text(dashboard) == stood[key]
            assert dashboard.focused is not None
            assert dashboard.focused in dashboard.pane.query("*")


@pytest.mark.parametrize("key", ["1", "2", "escape"])
async def test_the_time_that_was_gone_to_there_is_shown_at_once(key: str) -> None:
    """Stepping back on the prediction's screen goes for all of them."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await wait_until(lambda: dashboard.feeds.is_reading)
        await open_failed(dashboard, pilot)
        await pilot.press("left_square_bracket", key)
        await pilot.pause()
        assert "10 s ago" in screen_text(dashboard)
        assert "1 Overview" in screen_text(dashboard)
