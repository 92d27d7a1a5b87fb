"""The heat map as it is drawn; its cursor, its mouse, and where Enter leads."""

import pytest
from hypothesis import given
from hypothesis import settings as tried
from hypothesis import strategies as st

from tests.tui.drawn import alone
from tests.tui.facts import NOW_MS, ended
from tests.tui.screen import SIZES
from zypher_tui.core import cells
from zypher_tui.core.heat import Heat
from zypher_tui.palette import palette
from zypher_tui.widgets.heat_drawing import AXIS, axis_labels, nice_peak
from zypher_tui.widgets.heat_map import HeatMap

BLOCKS = {"▀", "▄", "█"}


def warm(*, seconds: int = 300) -> Heat:
    """Some each second, most about 100 ms, one in ten slow."""
    heat = Heat()
    for second in range(seconds):
        for number in range(6):
            slow = 40 if (second * 7 + number) % 10 == 0 else 1
            took_ms = (40 + (second * 13 + number * 29) % 120) * slow
            heat.changed(ended(f"{second} {number}", NOW_MS - 1000 * second, run_ms=took_ms, wait_ms=1 + number))
    return heat


@pytest.mark.parametrize("size", [*SIZES, (40, 8), (12, 4), (5, 2)])
async def test_it_is_drawn_at_any_size(size: tuple[int, int]) -> None:
    """Blocks, an axis of times on the left, clock times below, and what the colours mean."""
    widget = HeatMap(id="heat")
    async with alone(widget, size) as (app, pilot):
        app.check_widths()
        widget.show(warm(), end_ms=NOW_MS)
        await pilot.pause()
        app.check_widths()
        if size[0] >= 40:
            assert BLOCKS & set(app.text)
            assert "09:00:00" in app.text or "08:59" in app.text or "08:58" in app.text
            assert "⏎" in app.text
            app.set_focus(None)
            await pilot.pause()
            assert "few ████████ many, " in app.text
            app.check_widths()


async def test_nothing_is_drawn_of_nothing() -> None:
    """No block, and no cursor to move."""
    widget = HeatMap(id="heat")
    async with alone(widget, (80, 12)) as (app, pilot):
        widget.show(Heat(), end_ms=NOW_MS)
        await pilot.press("left", "up", "enter", "home")
        await pilot.pause()
        app.check_widths()
        assert not BLOCKS & set(app.text)
        assert "nothing ended in this time" in app.lines[-1]
        assert widget.selected is None
        assert app.sent(HeatMap.Chosen) == []


async def test_the_cursor_leads_to_the_predictions_of_a_cell() -> None:
    """It begins at the newest, moves by columns and bands, and what Enter says keeps exactly these."""
    widget = HeatMap(id="heat")
    async with alone(widget, (80, 24)) as (app, pilot):
        widget.show(warm(), end_ms=NOW_MS)
        await pilot.press("enter")
        first = widget.selected
        assert first is not None
        assert first.from_ms == NOW_MS
        await pilot.press("left", "left")
        moved = widget.selected
        assert moved is not None
        assert (moved.from_ms, moved.band) == (NOW_MS - 10_000, first.band)
        await pilot.press("up")
        above = widget.selected
        assert above is not None
        assert above.band.first == first.band.last + 1
        await pilot.press("enter", "end", "home")
        await pilot.pause()
        assert app.sent(HeatMap.Chosen)[0].cell == first
        assert all(message.cell.count for message in app.sent(HeatMap.Chosen))
        assert "▲" in app.text


async def test_the_cursor_stays_with_its_cell_while_time_goes_on() -> None:
    """And goes back to the newest once its column has gone."""
    widget = HeatMap(id="heat")
    async with alone(widget, (80, 24)) as (_, pilot):
        heat = warm()
        widget.show(heat, end_ms=NOW_MS)
        await pilot.press("left")
        held = widget.selected
        heat.changed(ended("new", NOW_MS + 30_000))
        widget.show(heat, end_ms=NOW_MS + 30_000)
        assert widget.selected == held
        widget.show(heat, end_ms=NOW_MS + 360_000)
        assert widget.selected is not None
        assert widget.selected.from_ms == NOW_MS + 30_000


async def test_the_mouse_says_what_is_below_it_and_opens_it() -> None:
    """Of two bands in one cell, the one that has more."""
    widget = HeatMap(id="heat")
    async with alone(widget, (120, 20)) as (app, pilot):
        widget.show(warm(), end_ms=NOW_MS)
        await pilot.pause()
        app.set_focus(None)
        await pilot.pause()
        y, x = next((y, line.rindex("█")) for y, line in enumerate(app.lines) if "█" in line[AXIS:])
        await pilot.hover(HeatMap, offset=(x, y))
        await pilot.pause()
        assert " · total " in app.lines[-1]
        assert "few" not in app.lines[-1]
        await pilot.click(HeatMap, offset=(x, y), times=2)
        await pilot.pause()
        assert app.sent(HeatMap.Chosen)[-1].cell.count > 0
        await pilot.hover(HeatMap, offset=(2, 19))
        await pilot.click(HeatMap, offset=(x, 19), times=2)
        assert len(app.sent(HeatMap.Chosen)) == 1


async def test_it_shows_total_run_and_wait_in_turn() -> None:
    """The title says which."""
    widget = HeatMap(id="heat")
    async with alone(widget, (80, 24)):
        widget.show(warm(), end_ms=NOW_MS)
        titles = [str(widget.border_title)]
        for _ in range(3):
            widget.action_kind()
            titles.append(str(widget.border_title))
        assert titles[0] == titles[3] == "Latency · total time"
        assert titles[1:3] == ["Latency · run", "Latency · wait in the queue"]


@pytest.mark.parametrize(("highest", "peak"), [(0, 1), (1, 1), (3, 5), (10, 10), (11, 20), (10**9, 10**9)])
def test_colours_mean_the_same_for_a_while(highest: int, peak: int) -> None:
    """The scale moves by whole steps."""
    assert nice_peak(highest) == peak


@tried(deadline=None)
@given(
    st.lists(st.integers(0, 1_000_000), max_size=6),
    st.integers(1, 60),
    st.none() | st.integers(0, 100),
)
def test_labels_of_the_axis_are_all_different(times_ms: list[int], lines: int, pointed: int | None) -> None:
    """Of a few predictions, too, whose bands are many lines high; the band of the cursor is named among them."""
    heat = Heat()
    for number, took_ms in enumerate(times_ms):
        heat.changed(ended(str(number), NOW_MS, run_ms=took_ms, wait_ms=0))
    grid = heat.grid("run", end_ms=NOW_MS, columns=3, halves=2 * lines)
    chosen = None if pointed is None else pointed % len(grid.bands)
    labels = axis_labels(grid, lines, chosen)
    assert len(labels) == lines
    assert {cells.width(text) for text, _ in labels} == {AXIS}
    named = [text.strip() for text, _ in labels if text.strip()]
    assert len(set(named)) == len(named) > 0
    strong = [text for text, style in labels if style == palette.STRONG]
    assert len(strong) == (0 if chosen is None else 1)
