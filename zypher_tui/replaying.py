"""The dashboard over a recording: nothing is asked, and time goes where a person sends it."""

import time
from pathlib import Path

from zypher_tui.app import Dashboard
from zypher_tui.config import Config
from zypher_tui.core.cleaning import clean
from zypher_tui.core.durations import time_of
from zypher_tui.core.formats import instant
from zypher_tui.core.rows import at_of
from zypher_tui.opening import terminal_colours
from zypher_tui.sources.replayed import Replayed, load
from zypher_tui.themes import DARK, Theme, fitting


class ReplayDashboard(Dashboard):
    """Shows one time of it; ``p`` lets it go on from there, or stops it."""

    def __init__(
        self, replayed: Replayed, *, at_s: float | None = None, config: Config | None = None, theme: Theme = DARK
    ) -> None:
        """``at_s`` is the time that is shown first, in Unix time; the end if none is said."""
        super().__init__(
            {},
            api_url="http://127.0.0.1:8080",
            store=replayed.store,
            clock_s=lambda: replayed.last_s,
            config=config,
            theme=theme,
        )
        self._replayed = replayed
        self._playing: tuple[float, float] | None = None
        """Since when, on the monotonic clock, and from which time on."""
        self._at_s = min(max(replayed.last_s if at_s is None else at_s, replayed.first_s), replayed.last_s)
        name = f"replay of {clean(replayed.path.name)}"
        self._header_line.origin = (f"{name}, recorded at {instant(replayed.header.started_at)[:16]}", name, "replay")
        self._time_bar.words = ("before the end", "play or stop")

    def on_mount(self) -> None:
        """Say what is to be known of the file."""
        for sentence in (self._replayed.header.note, self._replayed.amiss):
            if sentence:
                self.notify(sentence, timeout=8, markup=False)

    def action_pause(self) -> None:
        """Let it go on from the time that is shown, as fast as it was; or stop it."""
        at_s = self._at_s
        self._playing = (time.monotonic(), at_s) if self._playing is None and at_s is not None else None
        self._draw()

    def action_step(self, seconds: int) -> None:
        """Show another time; it goes on from there if it does."""
        super().action_step(seconds)
        if self._playing is not None and self._at_s is not None:
            self._playing = time.monotonic(), self._at_s

    def action_record(self) -> None:
        """It is a file already."""
        self.notify(f"This is a recording already: {clean(str(self._replayed.path))}", timeout=6, markup=False)

    def _frame(self) -> None:
        if self._playing is not None:
            since_s, from_s = self._playing
            self._at_s = min(from_s + time.monotonic() - since_s, self._replayed.last_s)
            self._changed = True
            if self._at_s == self._replayed.last_s:
                self._playing = None
        super()._frame()


def run_replay(path: Path, config: Config, *, at: str | None = None, theme: str | None = None) -> int:
    """Show it in this terminal; returns the exit code. Raises ``WrongRecording``, ``WrongTime``."""
    replayed = load(path)
    at_s = None if at is None else time_of(at, at_of(round(replayed.first_s * 1000))).timestamp()
    begin = fitting(theme or config.theme, colours=terminal_colours())
    return ReplayDashboard(replayed, at_s=at_s, config=config, theme=begin).run_here()
