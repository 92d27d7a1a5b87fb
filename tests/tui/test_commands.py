"""The command palette does what keys do, and what has no key; the mouse presses keys."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tui.screen import screen_lines, screen_text
from zypher_tui.config import load_config
from zypher_tui.demo_states import demo_dashboard
from zypher_tui.keymap import ALSO, actions, keymap
from zypher_tui.palette import palette
from zypher_tui.themes import LIGHT


@pytest.fixture(autouse=True)
def usual_keys() -> Iterator[None]:
    """What a test chose is chosen for itself only."""
    yield
    keymap.use(None)


@pytest.mark.parametrize("key", ["colon", "ctrl+k"])
async def test_a_few_letters_find_a_command(key: str) -> None:
    """Of any case, not even next to each other; Enter does it."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(80, 24)) as pilot:
        await pilot.press(key, *"OPRED", "enter")
        await pilot.pause()
        assert "Predictions · 4,946" in screen_text(dashboard)
        assert dashboard.pane.TITLE == "Predictions"


@pytest.mark.parametrize(
    ("word", "said"), [("retry", "Replay them all"), ("purge", "Pause, purge a queue"), ("abort", "Cancel them all")]
)
async def test_what_others_call_it_finds_it_too(word: str, said: str) -> None:
    """In the palette and in the help."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.press("2", "colon", *word)
        await pilot.pause()
        assert said in screen_text(dashboard)
        await pilot.press("escape", "question_mark", *word)
        await pilot.pause()
        assert said in screen_text(dashboard)


def test_other_words_are_of_actions_that_there_are() -> None:
    """None is left behind."""
    assert set(ALSO) <= set(actions())


async def test_filters_and_themes_are_commands() -> None:
    """Show those that failed, or a model's; have another theme."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.press("colon", *"show failed")
        await pilot.pause()
        assert "Show status:failed" in screen_text(dashboard)
        await pilot.press("enter")
        await pilot.pause()
        assert "· status:failed" in screen_text(dashboard)
        await pilot.press("colon", *"model:digits", "enter")
        await pilot.pause()
        assert "· model:digits" in screen_text(dashboard)
        await pilot.press("colon", *"theme light", "enter")
        await pilot.pause()
        assert palette.theme is LIGHT


async def test_actions_of_what_has_the_focus_are_commands() -> None:
    """They do it there, with the key that a person would press."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.press("2", "colon")
        await pilot.pause()
        assert re.search(r"space      Mark {40,}Predictions ", screen_text(dashboard))
        await pilot.press(*"mark", "enter")
        await pilot.pause()
        assert "1 marked" in screen_text(dashboard)
        await pilot.press("colon", *"pause", "enter")
        await pilot.pause()
        assert "‖" in screen_text(dashboard)


async def test_nothing_is_found_and_nothing_happens() -> None:
    """Enter waits for something to do; escape leaves."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.press("colon", *"qqqxxx", "enter", "down", "up")
        await pilot.pause()
        assert "No command has that." in screen_text(dashboard)
        await pilot.press("escape")
        await pilot.pause()
        assert "Commands" not in screen_text(dashboard)


async def test_arrows_and_the_mouse_choose() -> None:
    """The cursor stays in sight; a click does it, one beside the box closes it."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(80, 24)) as pilot:
        await pilot.press("colon", *["pagedown"] * 8, "up", "down")
        await pilot.pause()
        assert "Theme none" in screen_text(dashboard)
        await pilot.press("pageup", *["pageup"] * 8)
        await pilot.pause()
        assert "Open Overview" in screen_text(dashboard)
        await pilot.click("#box", offset=(20, 3))
        await pilot.pause()
        assert dashboard.pane.TITLE == "Workers"
        await pilot.press("colon")
        await pilot.click(offset=(0, 0))
        await pilot.pause()
        assert "Commands" not in screen_text(dashboard)


async def test_a_click_on_the_last_line_presses_the_key(tmp_path: Path) -> None:
    """Also one that was chosen; of two keys the one that was hit."""
    path = tmp_path / "dashboard.toml"
    path.write_text('[keys]\npause = ["F"]\n', encoding="utf-8")
    dashboard = demo_dashboard("live")
    keymap.use(load_config(path))
    dashboard.set_keymap(keymap.for_textual)
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await pilot.click("#keys", offset=(screen_lines(dashboard)[-1].index("F pause"), 0))
        await pilot.pause()
        assert "‖ 09:02:30" in screen_text(dashboard)
        await pilot.click("#keys", offset=(screen_lines(dashboard)[-1].index("[ ] time"), 0))
        await pilot.pause()
        assert "‖ 09:02:20" in screen_text(dashboard)
        await pilot.click("#keys", offset=(screen_lines(dashboard)[-1].index("] time"), 0))
        await pilot.pause()
        assert "‖ 09:02:30" in screen_text(dashboard)
        await pilot.click("#keys", offset=(screen_lines(dashboard)[-1].index("help"), 0))
        await pilot.pause()
        assert "type to search" in screen_text(dashboard)
