"""Keys that arrive together, as over a slow link."""

import asyncio

import pytest
from textual import events
from textual.widgets import Input

from tests.tui.screen import screen_text
from zypher_jobs.testing import wait_until
from zypher_tui.app import Dashboard
from zypher_tui.demo_states import demo_dashboard
from zypher_tui.screens.predictions import PredictionsPane


def _burst(dashboard: Dashboard, text: str) -> None:
    for letter in text:
        name = {"/": "slash", ":": "colon", "\r": "enter", " ": "space", "<": "less_than_sign"}.get(letter, letter)
        dashboard.post_message(events.Key(name, letter))


@pytest.mark.parametrize("kept", ["status:failed", "xX D", "age<1h"])
async def test_a_filter_typed_in_one_burst_is_a_filter(kept: str) -> None:
    """None of its letters acts on predictions, none is lost, none comes before another."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        _burst(dashboard, "/" + kept + "\r3")
        await wait_until(lambda: "Workers" in dashboard.pane.TITLE)
        pane = dashboard.query_one(PredictionsPane)
        assert pane.query_one(Input).value == kept
        assert pane.filter.text == kept
        assert dashboard.screen_stack == [dashboard.screen]  # no question was asked


async def test_a_command_typed_in_one_burst_is_found_and_run() -> None:
    """The letters behind ``:`` are those of the palette that it opens."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        _burst(dashboard, ":dead letters\r")
        await wait_until(lambda: "Dead letters" in dashboard.pane.TITLE)
        await wait_until(lambda: len(dashboard.screen_stack) == 1)
        assert "Dead letters" in screen_text(dashboard)


async def test_keys_go_on_behind_one_that_takes_long() -> None:
    """It is not waited for without end."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        gone_on = asyncio.Event()
        dashboard.call_later(gone_on.wait)  # the app does nothing else until then
        _burst(dashboard, "34")
        asyncio.get_running_loop().call_later(0.6, gone_on.set)
        await wait_until(lambda: "Models" in dashboard.pane.TITLE)
