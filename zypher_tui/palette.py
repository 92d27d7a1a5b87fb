"""Colours and glyphs. Okabe-Ito: told apart by colour-blind eyes; and never colour alone, always a glyph and a word.

M. Okabe and K. Ito, "Color Universal Design", 2008.
"""

from rich.style import Style

from zypher_jobs.contracts.prediction import Status
from zypher_tui.core.view import Link

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

PLAIN = Style(color=TEXT)
STRONG = Style(color="#ffffff", bold=True)
DIM = Style(color=MUTED)
FRAME = Style(color=LINE)
BRAND = Style(color=SKY, bold=True)
WARNING = Style(color=ORANGE)
ERROR = Style(color=VERMILLION)
NOTHING = Style.null()

STATUS: dict[Status, tuple[str, Style]] = {
    Status.QUEUED: ("○", Style(color=YELLOW)),
    Status.RUNNING: ("◐", Style(color=SKY)),
    Status.SUCCEEDED: ("●", Style(color=GREEN)),
    Status.FAILED: ("✗", Style(color=VERMILLION, bold=True)),
    Status.CANCELED: ("⊘", Style(color=PURPLE)),
    Status.EXPIRED: ("◌", Style(color=ORANGE)),
}
"""Every glyph one cell wide."""

LINK: dict[Link, tuple[str, Style]] = {
    Link.CONNECTING: ("◌", Style(color=YELLOW)),
    Link.UP: ("●", Style(color=GREEN)),
    Link.AWAY: ("✗", Style(color=VERMILLION, bold=True)),
    Link.UNKNOWN: ("?", Style(color=MUTED)),
}


def gradient(low: str, high: str, steps: int) -> list[Style]:
    """``steps`` styles from one colour to the other."""
    ends = [[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in (low, high)]
    shares = [step / max(steps - 1, 1) for step in range(steps)]
    return [
        Style(color="#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(*ends, strict=True)))
        for share in shares
    ]
