"""Colours and glyphs of what is drawn by hand. Never colour alone: always a glyph and a word.

Okabe-Ito: told apart by colour-blind eyes. M. Okabe and K. Ito, "Color Universal Design", 2008.
"""

from rich.style import Style

from zypher_jobs.contracts.prediction import Status
from zypher_tui.core.view import Link


class Palette:
    """The colours in use. Read them when drawing, never at import: they change with the theme."""

    ORANGE = "#E69F00"
    SKY = "#56B4E9"
    GREEN = "#009E73"
    YELLOW = "#F0E442"
    BLUE = "#0072B2"
    VERMILLION = "#D55E00"
    PURPLE = "#CC79A7"

    BACKGROUND = "#0b0f14"
    LINE = "#2b3644"
    TEXT = "#d5dce4"
    MUTED = "#8492a3"
    HEAT = ("#31446b", "#4b5770", "#666c74", "#827f78", "#a09776", "#bfb06e", "#dfcb59", "#fee838")
    """Few to many, each brighter than the one before for every eye: cividis. J. R. Nuñez et al., PLOS ONE, 2018."""
    POINTER = "#ffffff"

    def __init__(self) -> None:
        self.PLAIN = Style(color=self.TEXT)
        self.STRONG = Style(color="#ffffff", bold=True)
        self.DIM = Style(color=self.MUTED)
        self.FRAME = Style(color=self.LINE)
        self.BRAND = Style(color=self.SKY, bold=True)
        self.WARNING = Style(color=self.ORANGE)
        self.ERROR = Style(color=self.VERMILLION)
        self.NOTHING = Style.null()
        self.TAB_OPEN = Style(color="#ffffff", bgcolor="#1b3046", bold=True)
        self.TAB_OPEN_KEY = Style(color=self.SKY, bgcolor="#1b3046", bold=True)
        self.CURSOR = Style(bgcolor="#1b3046")
        self.CURSOR_AWAY = Style(bgcolor="#141c26")
        self.MARK = Style(color=self.YELLOW, bold=True)
        self.STATUS: dict[Status, tuple[str, Style]] = {
            Status.QUEUED: ("○", Style(color=self.YELLOW)),
            Status.RUNNING: ("◐", Style(color=self.SKY)),
            Status.SUCCEEDED: ("●", Style(color=self.GREEN)),
            Status.FAILED: ("✗", Style(color=self.VERMILLION, bold=True)),
            Status.CANCELED: ("⊘", Style(color=self.PURPLE)),
            Status.EXPIRED: ("◌", Style(color=self.ORANGE)),
        }
        """Every glyph one cell wide."""
        self.LINK: dict[Link, tuple[str, Style]] = {
            Link.CONNECTING: ("◌", Style(color=self.YELLOW)),
            Link.UP: ("●", Style(color=self.GREEN)),
            Link.AWAY: ("✗", Style(color=self.VERMILLION, bold=True)),
            Link.UNKNOWN: ("?", Style(color=self.MUTED)),
        }


palette = Palette()


def gradient(low: str, high: str, steps: int) -> list[Style]:
    """``steps`` styles from one colour to the other."""
    ends = [[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in (low, high)]
    shares = [step / max(steps - 1, 1) for step in range(steps)]
    return [
        Style(color="#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(*ends, strict=True)))
        for share in shares
    ]
