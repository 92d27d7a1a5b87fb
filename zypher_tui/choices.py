"""What a person chose: theme, columns, keys, how often is drawn; what is chosen anew is kept in the configuration."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from textual.app import App

from zypher_tui.config import Config, keep_columns, keep_theme
from zypher_tui.core.choosing import USUAL
from zypher_tui.core.cleaning import clean
from zypher_tui.frames import FRAME_S
from zypher_tui.keymap import keymap
from zypher_tui.palette import palette
from zypher_tui.textual_theme import textual_theme
from zypher_tui.themes import NONE, THEMES, Theme
from zypher_tui.widgets.dialogs import Dialog


def wants_no_colours() -> bool:
    """Whether ``NO_COLOR`` is set: then there are none, whatever the theme is."""
    return bool(os.environ.get("NO_COLOR"))


class Choices:
    """One for each dashboard. Without a configuration file nothing is kept."""

    def __init__(self, app: App[int], config: Config | None, *, theme: Theme, redraw: Callable[[], None]) -> None:
        """``theme`` is what it begins with. Raises ``WrongConfig`` for keys that cannot be."""
        self._app = app
        self._config = config
        self._redraw = redraw
        for each in THEMES.values():
            app.register_theme(textual_theme(each))
        self.use_theme(NONE if wants_no_colours() else theme)
        keymap.use(config)
        app.set_keymap(keymap.for_textual)

    @property
    def frame_s(self) -> float:
        """Least time between two frames: a person's choice for a slow link, else the usual one."""
        return 1 / self._config.fps if self._config and self._config.fps else FRAME_S

    @property
    def columns(self) -> Sequence[str]:
        """Of the list of predictions."""
        return (self._config.columns if self._config else None) or USUAL

    def use_theme(self, theme: Theme) -> None:
        """Draw everything in these colours."""
        palette.use(theme)
        self._app.theme = textual_theme(theme).name
        if self._app.is_running:
            self._redraw()
            for screen in self._app.screen_stack:
                if isinstance(screen, Dialog):
                    screen.fill()
                for widget in screen.walk_children():
                    widget.refresh()

    def choose_theme(self, theme: Theme) -> None:
        """Draw in these colours, also the next time."""
        self.use_theme(theme)
        self._keep(f"Theme {theme.name}: {theme.says}.", lambda path: keep_theme(path, theme.name))

    def choose_next_theme(self) -> None:
        """The one behind this one."""
        names = [name for name in THEMES if name != NONE.name]
        if palette.theme is NONE:
            self._say("NO_COLOR is set: there are no colours.")
            return
        self.choose_theme(THEMES[names[(names.index(palette.theme.name) + 1) % len(names)]])

    def keep_columns(self, names: Sequence[str]) -> None:
        """The list of predictions has them, also the next time."""
        self._keep(f"Columns: {', '.join(names)}.", lambda path: keep_columns(path, names))

    def _keep(self, said: str, write: Callable[[Path], None]) -> None:
        """Write it into the configuration file, if there is one, and say so."""
        if self._config is not None:
            try:
                write(self._config.path)
            except (OSError, UnicodeDecodeError) as error:
                said += f" It is not kept: {self._config.path} cannot be written ({type(error).__name__})."
        self._say(clean(said))

    def _say(self, sentence: str) -> None:
        self._app.notify(sentence, timeout=4, markup=False)
