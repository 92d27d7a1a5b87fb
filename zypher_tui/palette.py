"""Styles and glyphs of what is drawn by hand, made of a theme. Never colour alone: always a glyph and a word."""

from collections.abc import Sequence
from typing import Literal

from rich.style import Style

from zypher_jobs.contracts.prediction import Status
from zypher_tui.core.view import Link
from zypher_tui.themes import DARK, Theme

Ramp = Literal["depth", "throughput"]
"""What has colours from low to high."""


class Palette:
    """The styles in use. Read them when drawing, never at import: they change with the theme."""

    def __init__(self, theme: Theme) -> None:
        self.use(theme)

    def use(self, theme: Theme) -> None:
        """Have the styles of another theme from now on."""
        few = theme.is_terminals
        chosen = Style(reverse=True, color="default", dim=False) if few else Style(bgcolor=theme.chosen)
        chosen_away = Style(bold=True, dim=False) if few else Style(bgcolor=theme.chosen_away)
        failed = Style(color=theme.failed, bold=True)
        self.theme = theme
        self.PLAIN = Style(color=theme.text)
        self.STRONG = Style(color=theme.strong, bold=True)
        self.DIM = Style(color=theme.muted, dim=few or None)
        self.FRAME = Style(color=theme.frame)
        self.BRAND = Style(color=theme.accent, bold=True)
        self.WARNING = Style(color=theme.warning)
        self.ERROR = Style(color=theme.error)
        self.FILL = Style(color=theme.running)
        """The filled part of a bar."""
        self.NOTHING = Style.null()
        self.TAB_OPEN = Style(color=theme.strong, bold=True) + chosen
        self.TAB_OPEN_KEY = Style(color=theme.accent, bold=True) + chosen
        self.CURSOR = chosen
        self.CURSOR_AWAY = chosen_away
        self.MARK = Style(color=theme.mark, bold=True)
        self.HEAT = theme.heat
        """Colours of a heat map, from few to many."""
        self.POINTER = theme.pointer
        self.STATUS: dict[Status, tuple[str, Style]] = {
            Status.QUEUED: ("○", Style(color=theme.queued)),
            Status.RUNNING: ("◐", Style(color=theme.running)),
            Status.SUCCEEDED: ("●", Style(color=theme.succeeded)),
            Status.FAILED: ("✗", failed),
            Status.CANCELED: ("⊘", Style(color=theme.canceled)),
            Status.EXPIRED: ("◌", Style(color=theme.expired)),
        }
        """Every glyph one cell wide."""
        self.LINK: dict[Link, tuple[str, Style]] = {
            Link.CONNECTING: ("◌", Style(color=theme.queued)),
            Link.UP: ("●", Style(color=theme.succeeded)),
            Link.AWAY: ("✗", failed),
            Link.REFUSING: ("⊘", failed),
            Link.STRANGE: ("▲", Style(color=theme.warning)),
            Link.UNKNOWN: ("?", Style(color=theme.muted)),
        }

    def ramp(self, ramp: Ramp, steps: int) -> Sequence[Style]:
        """From low to high, in so many styles."""
        low, high = {"depth": self.theme.depth, "throughput": self.theme.throughput}[ramp]
        return gradient(low, high, steps)


palette = Palette(DARK)


def gradient(low: str, high: str, steps: int) -> Sequence[Style]:
    """``steps`` styles from one colour to the other; between two that only the terminal knows there is nothing."""
    shares = [step / max(steps - 1, 1) for step in range(steps)]
    if not (low.startswith("#") and high.startswith("#")):
        return [Style(color=high if share >= 0.5 else low) for share in shares]
    ends = [[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in (low, high)]
    return [
        Style(color="#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(*ends, strict=True)))
        for share in shares
    ]
