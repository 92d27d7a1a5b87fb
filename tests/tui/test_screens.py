"""Every screen in every state at every size, to the character."""

from functools import partial

import pytest

from tests.tui.golden import golden
from tests.tui.screen import PANES, SIZES, screen_text, stands_still
from zypher_jobs.testing import wait_until
from zypher_tui.demo_states import demo_dashboard
from zypher_tui.sources.demo.troubles import TROUBLES

STATES = ("live", "empty", "api-down", "redis-down", "paused", "replay")


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("pane", PANES)
async def test_a_screen_is_as_it_was(pane: str, state: str) -> None:
    """What a change of it changes is seen in the difference of these files."""
    dashboard = demo_dashboard(state)
    async with dashboard.run_test(size=SIZES[0]) as pilot:
        await wait_until(lambda: dashboard.feeds.is_reading)
        await pilot.press(str(PANES.index(pane) + 1))
        await stands_still(partial(screen_text, dashboard))
        for columns, rows in SIZES:
            await pilot.resize_terminal(columns, rows)
            await golden(f"{PANES.index(pane) + 1}-{pane}-{state}-{columns}x{rows}", partial(screen_text, dashboard))


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_what_is_wrong_is_shown_instead_of_nothing(trouble: str) -> None:
    """What it is, since when, and the command that leads out of it, as long as no figures ever came."""
    dashboard = demo_dashboard(trouble)
    async with dashboard.run_test(size=SIZES[0]) as pilot:
        for columns, rows in SIZES:
            await pilot.resize_terminal(columns, rows)
            await golden(f"trouble-{trouble}-{columns}x{rows}", partial(screen_text, dashboard))
