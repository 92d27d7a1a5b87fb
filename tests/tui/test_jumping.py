"""Jump mode: letters lead to the parts of the screen and to the rows that are seen."""

import pytest

from tests.tui.screen import SIZES, screen_lines, screen_text
from zypher_jobs.testing import wait_until
from zypher_tui.core import cells
from zypher_tui.demo_states import demo_dashboard
from zypher_tui.screens.jumping import JumpScreen
from zypher_tui.widgets.predictions import PredictionTable


@pytest.mark.parametrize("size", SIZES)
async def test_a_letter_leads_to_a_part(size: tuple[int, int]) -> None:
    """Each part that keys can go to has one; it gets the focus, and the letters are gone."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=size) as pilot:
        await pilot.pause()
        before = screen_text(dashboard)
        parts = [each.id for each in dashboard.screen.focus_chain]
        await pilot.press("ctrl+o")
        await pilot.pause()
        assert isinstance(dashboard.screen, JumpScreen)
        assert "╭a Needs attention" in screen_text(dashboard), "the titles can be read"
        assert {cells.width(line) for line in screen_lines(dashboard)} == {size[0]}
        await pilot.press("a")
        await wait_until(lambda: dashboard.focused is not None and dashboard.focused.id == parts[0])
        await pilot.press("ctrl+o", "escape")
        await pilot.press("ctrl+o", "9")
        await pilot.pause()
        assert not isinstance(dashboard.screen, JumpScreen)
        await pilot.press("2", "1")
        await pilot.pause()
        assert screen_text(dashboard).split("\n")[1] == before.split("\n")[1]


async def test_a_letter_opens_a_row() -> None:
    """The rows of the table with the focus have the letters behind those of the parts."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await wait_until(lambda: dashboard.feeds.is_reading)
        await pilot.press("2")
        await pilot.pause()
        table = dashboard.query_one("#predictions", PredictionTable)
        third = table.row_at(2).prediction_id
        await pilot.press("ctrl+o", "d")  # a is the table itself
        await wait_until(lambda: third in screen_text(dashboard) and "Prediction" in screen_text(dashboard))
        await pilot.press("ctrl+o")
        await pilot.pause()
        await pilot.press("escape", "escape")
        await pilot.pause()
        assert table.selected is not None
        assert table.selected.prediction_id == third
