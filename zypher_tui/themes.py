"""The themes: every colour of the dashboard, named by what it means. Never colour alone: a glyph and a word go with it.

Made so that text stands out from every background by 4.5:1 at least (WCAG 2, AA), and so that people who see no red or
no green tell the statuses apart; tests measure both. The default is the palette of M. Okabe and K. Ito, "Color
Universal Design", 2008, with its green and vermillion lifted for a dark ground.
"""

import msgspec


class Theme(msgspec.Struct, frozen=True, kw_only=True):
    """Colours are ``#rrggbb``, or names of the terminal's own, such as ``blue`` or ``default``."""

    name: str
    says: str
    """What it is, in a few words."""
    is_dark: bool = True
    is_terminals: bool = False
    """It has names of the terminal's 16 colours; bold, dim and reverse say what colours cannot."""

    background: str
    bar: str
    """Behind the first lines and the last."""
    raised: str
    """Behind what lies over the rest."""
    banner: str
    """Behind a notice and the time that is shown."""
    shade: str
    """Over what a dialog covers, with a share such as ``#000000 55%``."""
    chosen: str
    """Behind the row under the cursor and the open tab."""
    chosen_away: str
    """The same where the focus is elsewhere."""

    frame: str
    text: str
    strong: str
    muted: str
    accent: str
    """Keys, the name, the frame that has the focus."""
    mark: str
    warning: str
    error: str

    queued: str
    running: str
    succeeded: str
    failed: str
    canceled: str
    expired: str

    depth: tuple[str, str]
    """From the foot of the chart to its top; likewise the next."""
    throughput: tuple[str, str]
    heat: tuple[str, ...]
    """From few to many."""
    pointer: str
    """The cell of the heat map under the cursor."""

    @property
    def statuses(self) -> dict[str, str]:
        """Colours that people tell apart."""
        names = ("queued", "running", "succeeded", "failed", "canceled", "expired")
        return {name: getattr(self, name) for name in names}


DARK = Theme(
    name="dark", says="dark, for all eyes (Okabe-Ito)",
    background="#0b0f14", bar="#131a23", raised="#10161e", banner="#2b2109", shade="#000000 55%",
    chosen="#182c42", chosen_away="#141c26",
    frame="#2b3644", text="#d5dce4", strong="#ffffff", muted="#8f9dae", accent="#56B4E9", mark="#F0E442",
    warning="#E9A800", error="#EE6A12",
    queued="#F0E442", running="#56B4E9", succeeded="#0FB488", failed="#EE6A12", canceled="#CC79A7", expired="#E9A800",
    depth=("#0072B2", "#56B4E9"), throughput=("#00543d", "#1fd6a3"),
    heat=("#31446b", "#4b5770", "#666c74", "#827f78", "#a09776", "#bfb06e", "#dfcb59", "#fee838"), pointer="#ffffff",
)  # fmt: skip

LIGHT = Theme(
    name="light", says="light, for all eyes", is_dark=False,
    background="#ffffff", bar="#eef2f6", raised="#f7f9fb", banner="#fff1d6", shade="#5b6470 45%",
    chosen="#dcebf8", chosen_away="#e9edf2",
    frame="#b6c0cc", text="#1f2933", strong="#000000", muted="#55616e", accent="#0b4fd8", mark="#866100",
    warning="#7d4a00", error="#8a2400",
    queued="#866100", running="#0b4fd8", succeeded="#01704a", failed="#8a2400", canceled="#8a3a6c", expired="#2d1b0a",
    depth=("#7fb2e0", "#0b4fd8"), throughput=("#7cc9ae", "#01704a"),
    heat=("#fbeeb4", "#e6d488", "#c3b474", "#a09776", "#827f78", "#666c74", "#4b5770", "#1c2f57"), pointer="#000000",
)  # fmt: skip

CONTRAST = Theme(
    name="contrast", says="black, with bright colours",
    background="#000000", bar="#000000", raised="#000000", banner="#000000", shade="#000000 70%",
    chosen="#00335c", chosen_away="#262626",
    frame="#8c8c8c", text="#ffffff", strong="#ffffff", muted="#d0d0d0", accent="#6fc8ff", mark="#fff15c",
    warning="#ffb000", error="#ff6e25",
    queued="#fff15c", running="#6fc8ff", succeeded="#19d3a2", failed="#ff6e25", canceled="#f0a3cd", expired="#ffb000",
    depth=("#0090e0", "#a5dcff"), throughput=("#00a078", "#5cf0c8"),
    heat=("#31446b", "#4b5770", "#666c74", "#827f78", "#a09776", "#bfb06e", "#dfcb59", "#fee838"), pointer="#ffffff",
)  # fmt: skip

MONO = Theme(
    name="mono", says="greys only",
    background="#101010", bar="#1a1a1a", raised="#161616", banner="#242424", shade="#000000 55%",
    chosen="#303030", chosen_away="#202020",
    frame="#404040", text="#d8d8d8", strong="#ffffff", muted="#a0a0a0", accent="#ffffff", mark="#ffffff",
    warning="#f0f0f0", error="#ffffff",
    queued="#c8c8c8", running="#e8e8e8", succeeded="#a8a8a8", failed="#ffffff", canceled="#b8b8b8", expired="#d8d8d8",
    depth=("#707070", "#d0d0d0"), throughput=("#707070", "#d0d0d0"),
    heat=("#383838", "#505050", "#686868", "#848484", "#a0a0a0", "#bcbcbc", "#d8d8d8", "#f8f8f8"), pointer="#ffffff",
)  # fmt: skip

TERMINAL = Theme(
    name="terminal", says="the terminal's own 16 colours", is_terminals=True,
    background="default", bar="default", raised="default", banner="default", shade="default",
    chosen="default", chosen_away="default",
    frame="bright_black", text="default", strong="default", muted="default", accent="cyan", mark="yellow",
    warning="yellow", error="red",
    queued="yellow", running="cyan", succeeded="green", failed="red", canceled="magenta", expired="yellow",
    depth=("blue", "cyan"), throughput=("green", "green"),
    heat=("bright_black", "bright_black", "blue", "blue", "cyan", "cyan", "yellow", "bright_yellow"), pointer="default",
)  # fmt: skip

NONE = Theme(
    name="none", says="no colours at all, as NO_COLOR asks", is_terminals=True,
    background="default", bar="default", raised="default", banner="default", shade="default",
    chosen="default", chosen_away="default",
    frame="default", text="default", strong="default", muted="default", accent="default", mark="default",
    warning="default", error="default",
    queued="default", running="default", succeeded="default", failed="default", canceled="default", expired="default",
    depth=("default", "default"), throughput=("default", "default"), heat=("default",) * 8, pointer="default",
)  # fmt: skip

THEMES = {theme.name: theme for theme in (DARK, LIGHT, CONTRAST, MONO, TERMINAL, NONE)}


def fitting(wanted: str | None, *, colours: int) -> Theme:
    """The theme to begin with: the wanted one, else the terminal's own where it has but 16 colours."""
    if wanted is not None:
        return THEMES[wanted]
    return TERMINAL if colours <= 16 else DARK
