"""Every screen in every state at every size, to the character."""

from collections.abc import Callable

import pytest
from textual.pilot import Pilot

from tests.tui.screen import screen_text
from zypher_jobs.testing import wait_until
from zypher_tui.app import Dashboard
from zypher_tui.demo import demo_dashboard
from zypher_tui.sources.demo.troubles import TROUBLES

SIZES = [(80, 24), (120, 36), (200, 60)]
STATES = ("live", "empty", "api-down", "redis-down", "paused", "replay")
PANES = ("overview", "predictions", "workers", "models", "dead-letters", "load")
"""By the keys that open them."""


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("pane", PANES)
async def test_a_screen_is_as_it_was(pane: str, state: str, golden: Callable[[str, str], None]) -> None:
    """What a change of it changes is seen in the difference of these files."""
    dashboard = demo_dashboard(state)
    async with dashboard.run_test(size=SIZES[0]) as pilot:
        await wait_until(lambda: dashboard.feeds.is_reading)
        await pilot.press(str(PANES.index(pane) + 1))
        await stands_still(dashboard, pilot)
        for columns, rows in SIZES:
            await pilot.resize_terminal(columns, rows)
            await stands_still(dashboard, pilot)
            golden(f"{PANES.index(pane) + 1}-{pane}-{state}-{columns}x{rows}", screen_text(dashboard))


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_what_is_wrong_is_shown_instead_of_nothing(trouble: str, golden: Callable[[str, str], None]) -> None:
    """What it is, since when, and the command that leads out of it, as long as no figures ever came."""
    dashboard = demo_dashboard(trouble)
    async with dashboard.run_test(size=SIZES[0]) as pilot:
        for columns, rows in SIZES:
            await pilot.resize_terminal(columns, rows)
            await stands_still(dashboard, pilot)
            golden(f"trouble-{trouble}-{columns}x{rows}", screen_text(dashboard))


async def stands_still(dashboard: Dashboard, pilot: Pilot[int]) -> None:
    """What is read for the screen is on it."""
    seen, times = "", 0
    while times < 3:
        await pilot.pause(0.05)
        text = screen_text(dashboard)
        seen, times = text, times + 1 if text == seen else 0
