"""What stands on the screen of a running dashboard."""
# pyright: reportPrivateUsage=false
# Textual has no public way to the lines that it writes to the terminal

from collections.abc import Callable

from rich.style import Style

from zypher_jobs.testing import wait_until
from zypher_tui.app import Dashboard
from zypher_tui.config import Config
from zypher_tui.core.readings import Reading
from zypher_tui.core.store import Store

SIZES = [(80, 24), (120, 36), (200, 60)]
"""Terminals that everything is to look well on."""
PANES = ("overview", "predictions", "workers", "models", "dead-letters", "load")
"""By the keys that open them."""


def dashboard_over(*readings: Reading, config: Config | None = None) -> Dashboard:
    """A dashboard that knows exactly these readings; its clock stands at the last one."""
    store = Store()
    for one in readings:
        store.fold(one)
    return Dashboard({}, api_url="http://127.0.0.1:8080", store=store, clock_s=lambda: readings[-1].at_s, config=config)


def screen_lines(dashboard: Dashboard) -> list[str]:
    """Line by line, padded to the terminal's width; dialogs lie over what is below them."""
    return [strip.text for strip in dashboard.screen._compositor.render_strips()]


def screen_text(dashboard: Dashboard) -> str:
    """All lines, without the spaces at their ends."""
    return "\n".join(line.rstrip() for line in screen_lines(dashboard))


def told(dashboard: Dashboard) -> list[str]:
    """What pops up, as it was said: a narrow screen breaks it."""
    return [each.message for each in dashboard._notifications]


async def stands_still(shown: Callable[[], str]) -> None:
    """What is read for the screen is on it: at four looks, 50 ms apart, it was the same."""
    seen: list[str] = []

    def same() -> bool:
        seen.append(shown())
        return len(seen) > 3 and len(set(seen[-4:])) == 1

    await wait_until(same, every_s=0.05)


def shown_segments(dashboard: Dashboard) -> list[tuple[str, Style]]:
    """What the terminal is told: texts and their styles."""
    strips = dashboard.screen._compositor.render_strips()
    return [(text, style or Style.null()) for strip in strips for text, style, _ in strip]


def shapes(text: str) -> str:
    """The text with one character for all that a heat map is drawn with: without colours those tell few from many."""
    return text.translate(dict.fromkeys(map(ord, "▀▄█░▒▓"), "█"))
