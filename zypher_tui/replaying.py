"""The dashboard over a recording: nothing is asked, and time goes where a person sends it.

A long one is read while it is shown: what is read so far can be looked at.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from zypher_tui.app import Dashboard
from zypher_tui.config import Config
from zypher_tui.core.cleaning import clean
from zypher_tui.core.durations import time_of
from zypher_tui.core.formats import instant
from zypher_tui.core.looking_back import Hindsight
from zypher_tui.core.recording import WrongRecording
from zypher_tui.opening import terminal_colours
from zypher_tui.playing import Playing
from zypher_tui.sources.replayed import Loading, Replayed
from zypher_tui.themes import DARK, Theme, fitting

READ_FIRST_S = 0.25
"""Of a recording before anything is shown: a short one is there whole by then."""
READ_STEP_S = 0.03
"""Between two looks for a key."""
LOOK_STEP_S = 0.005
LOOK_REST_S = 0.015
"""The same for what nobody waits for, and how long keys then have all to themselves."""


class ReplayDashboard(Dashboard):
    """Shows one time of it; ``p`` lets it go on from there, or stops it."""

    def __init__(
        self,
        replayed: Replayed,
        *,
        read_on: Callable[[float], bool] = lambda _: False,
        at_s: float | None = None,
        config: Config | None = None,
        theme: Theme = DARK,
    ) -> None:
        """``at_s`` is the time that is shown first, in Unix time; the end if none is said.

        ``read_on`` reads for about so long, and says whether there is more.
        """
        playing = Playing(replayed, wanted_s=at_s)
        super().__init__(
            {},
            api_url="http://127.0.0.1:8080",
            store=replayed.store,
            times=playing,
            config=config,
            theme=theme,
            closed=(
                f"This is a recording of {instant(replayed.header.started_at)[:16]}: nothing acts on it. "
                "`zypher tui` acts on what runs."
            ),
        )
        self.wrong: WrongRecording | None = None
        """Why it could not be read to its end."""
        self._replayed = replayed
        self._playing = playing
        self._read_on = read_on
        self._hindsight: Hindsight | None = None
        self._say_how_far()

    def on_mount(self) -> None:
        """Say what is to be known of the file, and read the rest of it."""
        self._say(self._replayed.header.note)
        self.run_worker(self._read, name="read")

    async def _read(self) -> None:
        try:
            while self._read_on(READ_STEP_S):
                self._playing.lead()
                self._say_how_far()
                self.frames.note_change()
                await asyncio.sleep(0)
        except WrongRecording as error:
            self.wrong = error
            self.exit(2)
            return
        self._playing.lead()
        self._say_how_far()
        self._say(self._replayed.amiss)
        self.frames.draw()
        await self._look_back()

    async def _look_back(self) -> None:
        """Find when something began to need attention."""
        store = self._replayed.store
        if store.attention.at(self._replayed.last_s) is not None:
            return  # it was watched
        self._hindsight = hindsight = Hindsight(store.timeline, store.book)
        is_more = True
        while is_more:
            is_more = hindsight.step(LOOK_STEP_S, time.monotonic)
            await asyncio.sleep(LOOK_REST_S)
        store.attention = hindsight.attention
        self._hindsight = None
        self.frames.draw()

    def _say(self, *sentences: str | None) -> None:
        for sentence in sentences:
            if sentence:
                self.notify(sentence, timeout=8, markup=False)

    def _say_how_far(self) -> None:
        """In the first line: which recording this is, and how much of it is read."""
        replayed, name = self._replayed, f"replay of {clean(self._replayed.path.name)}"
        if replayed.share < 1.0:
            read = f"{replayed.share:.0%} read"
            self.shell.header.origin = (f"{name}, {read}", read)
        else:
            at = instant(replayed.header.started_at)[:16]
            self.shell.header.origin = (f"{name}, recorded at {at}", name, "replay")

    def action_trouble(self, step: int) -> None:
        """Once all of it was looked at."""
        if self._hindsight is not None or self._replayed.share < 1.0:
            share = self._hindsight.share if self._hindsight else 0.0
            self._say(f"It is still looked through for what needed attention: {share:.0%}.")
            return
        super().action_trouble(step)

    def action_record(self) -> None:
        """It is a file already."""
        self._say(f"This is a recording already: {clean(str(self._replayed.path))}")


def run_replay(path: Path, config: Config, *, at: str | None = None, theme: str | None = None) -> int:
    """Show it in this terminal; returns the exit code. Raises ``WrongRecording``, ``WrongTime``."""
    loading = Loading(path)
    replayed = loading.replayed
    at_s = None if at is None else time_of(at, replayed.header.started_at).timestamp()
    loading.step(READ_FIRST_S)
    begin = fitting(theme or config.theme, colours=terminal_colours())
    dashboard = ReplayDashboard(replayed, read_on=loading.step, at_s=at_s, config=config, theme=begin)
    code = dashboard.run_here()
    if dashboard.wrong is not None:
        raise dashboard.wrong
    return code
