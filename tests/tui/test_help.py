"""The help says what has the focus means, with the keys that work, and is searched by typing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.binding import Binding

from tests.tui.screen import screen_lines, screen_text
from zypher_tui.config import load_config
from zypher_tui.demo_states import demo_dashboard
from zypher_tui.keymap import keymap
from zypher_tui.screens.pane import Pane
from zypher_tui.widgets.help import help_of
from zypher_tui.widgets.predictions import PredictionTable


@pytest.fixture(autouse=True)
def usual_keys() -> Iterator[None]:
    """What a test chose is chosen for itself only."""
    yield
    keymap.use(None)


async def test_the_help_is_of_what_has_the_focus() -> None:
    """From within outwards, then everywhere; what the glyphs mean at the end."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(80, 60)) as pilot:
        await pilot.press("2", "question_mark")
        await pilot.pause()
        text = screen_text(dashboard)
        places = [text.index(each) for each in ("Predictions in a table", "│ Predictions  ", "Everywhere", "Glyphs")]
        assert places == sorted(places)
        assert "space  Mark" in text
        assert "? unknown" in text
        await pilot.press("escape", "3", "question_mark")
        await pilot.pause()
        assert "Workers in a table" in screen_text(dashboard)


async def test_every_focus_of_every_pane_fits_the_smallest_screen() -> None:
    """No line is wider than the box, and the last one is reached."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        for key in ("1", "2", "3", "4"):
            await pilot.press(key)
            for _ in range(5):
                await pilot.press("question_mark", "end")
                await pilot.pause()
                lines = screen_lines(dashboard)
                assert "? unknown" in "\n".join(lines)
                assert all(len(line) == 80 for line in lines)
                await pilot.press("escape", "tab")


async def test_every_pane_and_what_can_have_the_focus_says_what_it_is() -> None:
    """A widget without a help is no use to who asks."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        for pane in dashboard.query(Pane):
            assert pane.ABOUT is not None, pane
        chapters = help_of([dashboard.pane, dashboard])
        assert ("1 … 6", "Screens") in chapters[-1].keys


async def test_what_keys_do_is_never_cut() -> None:
    """On the smallest screen too."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(80, 24)) as pilot:
        await pilot.press("question_mark")
        await pilot.pause()
        said = {binding.description for binding in PredictionTable.BINDINGS if isinstance(binding, Binding)}
        shown = screen_text(dashboard)
        assert [each for each in said if each not in shown] == []


async def test_typing_searches() -> None:
    """In all of it, letters that are keys elsewhere too; escape first shows everything again."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(80, 24)) as pilot:
        await pilot.press("question_mark", *"Quit")
        await pilot.pause()
        text = screen_text(dashboard)
        assert "Help · Quit▏" in text
        assert "q      Quit" in text
        assert "p50 · p95" not in text.split("Help · Quit")[1]
        await pilot.press(*"xyz")
        await pilot.pause()
        assert "Nothing has 'Quitxyz' in it" in screen_text(dashboard)
        await pilot.press(*["backspace"] * 3)
        await pilot.pause()
        assert "q      Quit" in screen_text(dashboard)
        await pilot.press("escape")
        await pilot.pause()
        assert "Help · type to search" in screen_text(dashboard)
        await pilot.press("escape")
        await pilot.pause()
        assert "Help" not in screen_text(dashboard)


async def test_the_help_shows_the_keys_that_work(tmp_path: Path) -> None:
    """Those that a person chose."""
    path = tmp_path / "dashboard.toml"
    path.write_text('[keys]\nmark = ["m", "ctrl+g"]\nscreen-1 = ["f1"]\n', encoding="utf-8")
    dashboard = demo_dashboard("live")
    keymap.use(load_config(path))
    async with dashboard.run_test(size=(80, 60)) as pilot:
        await pilot.press("2", "question_mark")
        await pilot.pause()
        assert "m ^g   Mark" in screen_text(dashboard)
        assert "f1 … 6 Screens" in screen_text(dashboard)
