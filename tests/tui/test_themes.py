"""Themes: legible for all eyes, on all terminals, and kept."""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from click import Choice
from rich.style import Style

from tests.tui.screen import screen_text, shapes, shown_segments
from zypher_jobs.commands.tui import tui
from zypher_tui.app import Dashboard
from zypher_tui.config import Config, load_config
from zypher_tui.demo_states import demo_dashboard
from zypher_tui.palette import palette
from zypher_tui.themes import DARK, LIGHT, MONO, NONE, TERMINAL, THEMES, Theme, fitting

TEXTS = ("text", "strong", "muted", "accent", "mark", "warning", "error")
GROUNDS = ("background", "bar", "raised", "banner", "chosen", "chosen_away")
LEAST_CONTRAST = 4.5
"""WCAG 2, AA, for text."""
LEAST_DISTANCE = 12.0
"""In CIE L*a*b*; 2.3 is a difference that is just seen."""
EYES = {
    "usual": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
}
"""What such eyes make of linear red, green and blue: Machado, Oliveira and Fernandes, 2009, severity 1."""
COLOURED = [theme for theme in THEMES.values() if not theme.is_terminals]


def linear(colour: str) -> list[float]:
    """Red, green and blue as amounts of light."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def contrast(one: str, other: str) -> float:
    """WCAG's ratio."""
    lights = [sum(w * part for w, part in zip((0.2126, 0.7152, 0.0722), linear(c), strict=True)) for c in (one, other)]
    return (max(lights) + 0.05) / (min(lights) + 0.05)


def seen(colour: str, eye: Sequence[Sequence[float]]) -> tuple[float, float, float]:
    """The colour in L*a*b*, as that eye sees it."""
    light = linear(colour)
    r, g, b = (min(max(sum(w * part for w, part in zip(row, light, strict=True)), 0), 1) for row in eye)
    x, y, z = (
        (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047,
        0.2126 * r + 0.7152 * g + 0.0722 * b,
        (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883,
    )
    fx, fy, fz = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


@pytest.mark.parametrize("theme", COLOURED, ids=lambda theme: theme.name)
def test_text_stands_out_from_every_ground(theme: Theme) -> None:
    """Every colour of text by 4.5:1 from everything that lies behind text."""
    colours = {name: getattr(theme, name) for name in TEXTS} | theme.statuses
    grounds = {name: getattr(theme, name) for name in GROUNDS}
    pale = {
        (name, ground): round(contrast(colour, behind), 2)
        for name, colour in colours.items()
        for ground, behind in grounds.items()
        if contrast(colour, behind) < LEAST_CONTRAST
    }
    assert not pale


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("theme", [theme for theme in COLOURED if theme is not MONO], ids=lambda theme: theme.name)
def test_statuses_are_told_apart_by_all_eyes(theme: Theme, eye: str) -> None:
    """Also by those that see no green or no red."""
    near = {
        (one, other): round(distance, 1)
        for (one, first), (other, second) in itertools.combinations(theme.statuses.items(), 2)
        if (distance := math.dist(seen(first, EYES[eye]), seen(second, EYES[eye]))) < LEAST_DISTANCE
    }
    assert not near


def test_the_option_knows_every_theme() -> None:
    """The command names them without loading them."""
    (option,) = [each for each in tui.params if each.name == "theme"]
    assert isinstance(option.type, Choice)
    assert set(option.type.choices) == set(THEMES)


def test_sixteen_colours_get_the_terminals_own() -> None:
    """Unless another is wanted."""
    assert fitting(None, colours=16) is TERMINAL
    assert fitting(None, colours=256) is DARK
    assert fitting("light", colours=16) is LIGHT


@pytest.mark.parametrize("theme", THEMES.values(), ids=lambda theme: theme.name)
async def test_no_theme_changes_a_character(theme: Theme) -> None:
    """Only colours; each status has its glyph and word in all of them."""
    dashboard = demo_dashboard("both-down")
    async with dashboard.run_test(size=(120, 60)) as pilot:
        await pilot.pause()
        before = screen_text(dashboard)
        dashboard.choices.use_theme(theme)
        await pilot.pause()
        assert palette.theme is theme
        assert shapes(screen_text(dashboard)) == shapes(before)
        assert "● succeeded" in before
        await pilot.press("question_mark")
        await pilot.pause()
        colours = {style.color.name for _, style in shown_segments(dashboard) if style.color}
        assert theme.accent.lower() in colours


@pytest.mark.parametrize("state", ["live", "both-down"])
async def test_no_color_has_no_colours(state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither greys nor anything else: bold, dim and reverse only; the key says so."""
    monkeypatch.setenv("NO_COLOR", "1")
    dashboard = demo_dashboard(state)
    async with dashboard.run_test(size=(120, 36), notifications=True) as pilot:
        await pilot.press("question_mark")
        await pilot.pause()
        assert colours_of(dashboard) == {"default"}
        await pilot.press("escape", "slash", "x", "escape", "ctrl+t")
        await pilot.pause()
        assert palette.theme is NONE
        assert colours_of(dashboard) == {"default"}
        assert "NO_COLOR is set" in screen_text(dashboard)


async def test_a_terminal_of_sixteen_colours_gets_no_other() -> None:
    """Nothing is mixed that it would have to guess."""
    dashboard = demo_dashboard("both-down")
    async with dashboard.run_test(size=(120, 36), notifications=True) as pilot:
        dashboard.choices.use_theme(TERMINAL)
        await pilot.press("question_mark")
        await pilot.pause()
        assert not [name for name in colours_of(dashboard) if name.startswith("#")]


async def test_on_a_terminals_own_colours_the_cursor_is_one_block() -> None:
    """Not a patch of each colour that stands in the row, nor half of it dim."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(120, 36)) as pilot:
        dashboard.choices.use_theme(TERMINAL)
        await pilot.pause()
        reversed_styles = [style for text, style in shown_segments(dashboard) if style.reverse and text.strip()]
        assert len(reversed_styles) > 5
        assert {style.color.name for style in reversed_styles if style.color} == {"default"}
        assert not any(style.dim for style in reversed_styles)


async def test_the_key_goes_through_the_themes_and_keeps_them(tmp_path: Path) -> None:
    """The file is made, and what else stands in it stays."""
    path = tmp_path / "deep" / "dashboard.toml"
    dashboard = Dashboard({}, api_url="http://x", config=Config(path=path))
    async with dashboard.run_test(size=(120, 36), notifications=True) as pilot:
        await pilot.press("ctrl+t")
        await pilot.pause()
        assert "Theme light: light, for all eyes." in screen_text(dashboard)
        assert load_config(path).theme == "light"
        path.write_text('# mine\ntheme = "light"  # bright\n# end\n')
        await pilot.press("ctrl+t")
        assert path.read_text() == '# mine\ntheme = "contrast"\n# end\n'


async def test_a_theme_that_cannot_be_kept_is_used_and_says_so(tmp_path: Path) -> None:
    """A file where the directory should be."""
    (tmp_path / "file").touch()
    dashboard = Dashboard({}, api_url="http://x", config=Config(path=tmp_path / "file" / "dashboard.toml"))
    async with dashboard.run_test(size=(160, 36), notifications=True) as pilot:
        await pilot.press("ctrl+t")
        await pilot.pause()
        assert palette.theme is LIGHT
        assert "It is not kept" in screen_text(dashboard)


def colours_of(dashboard: Dashboard) -> set[str]:
    """All colours that the terminal is told."""
    styles: list[Style] = [style for _, style in shown_segments(dashboard)]
    return {colour.name for style in styles for colour in (style.color, style.bgcolor) if colour is not None}
