"""A theme as Textual knows it: variables for ``dashboard.tcss``, and the colours of what Textual draws by itself."""

from textual.theme import BUILTIN_THEMES
from textual.theme import Theme as TextualTheme

from zypher_tui.themes import Theme

_SHOWN = ("background", "bar", "raised", "banner", "chosen", "frame", "text", "muted", "accent", "warning", "error")


_OWN = {
    name: "ansi_default" if value.startswith("ansi_") else value
    for name, value in BUILTIN_THEMES["ansi-dark"].variables.items()
}
"""What Textual's own style sheets need in a theme of the terminal's colours."""


def variables_of(theme: Theme) -> dict[str, str]:
    """``$z-background`` and so on; see ``dashboard.tcss``."""
    colours = {f"z-{name}": _css(getattr(theme, name)) for name in _SHOWN}
    # a terminal's own colours cannot be mixed: what is old is dimmed by the terminal, what is covered stays as it is
    return colours | {
        "z-shade": "transparent" if theme.is_terminals else theme.shade,
        "z-stale-opacity": "100%" if theme.is_terminals else "55%",
        "z-stale-style": "dim" if theme.is_terminals else "none",
    }


def textual_theme(theme: Theme) -> TextualTheme:
    """To be registered with the app under the theme's name."""
    return TextualTheme(
        name=f"zypher-{theme.name}",
        primary=_css(theme.accent),
        secondary=_css(theme.accent),
        warning=_css(theme.warning),
        error=_css(theme.error),
        success=_css(theme.succeeded),
        accent=_css(theme.accent),
        foreground=_css(theme.text),
        background=_css(theme.background),
        surface=_css(theme.raised),
        panel=_css(theme.raised),
        boost=_css(theme.bar),
        dark=theme.is_dark,
        variables=variables_of(theme) | (_OWN if theme.is_terminals else {}),
        ansi=theme.is_terminals,
    )


def _css(colour: str) -> str:
    return colour if colour.startswith("#") else f"ansi_{colour}"
