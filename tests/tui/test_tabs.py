"""The line of tabs, where there is less room than it wants."""

import pytest

from tests.tui.drawn import alone
from zypher_tui.widgets.tabs import TabLine

TABS = [("Overview", ""), ("Predictions", "4,946"), ("Workers", "4"), ("Dead letters", "59"), ("Load", "")]


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (80, " 1 Overview  2 Predictions 4,946  3 Workers 4  4 Dead letters 59  5 Load"),
        (70, " 1 Overview  2 Predictions  3 Workers 4  4 Dead letters 59  5 Load"),
        (66, " 1 Overview  2 Predictions  3 Workers  4 Dead letters 59  5 Load"),
        (63, " 1 Overview  2 Predictions  3 Workers  4 Dead letters  5 Load"),
        (50, " 1 Overview  2 Pre…  3 Wor…  4 Dea…  5 Load"),
    ],
)
async def test_figures_leave_from_the_left_and_then_titles(width: int, line: str) -> None:
    """Dead letters are what a person must see last of all."""
    widget = TabLine(id="tabs")
    async with alone(widget, (width, 1)) as (app, pilot):
        widget.show(TABS, 0)
        await pilot.pause()
        app.check_widths()
        assert app.text == line
