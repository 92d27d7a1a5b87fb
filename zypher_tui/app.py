"""The dashboard: what the sources bring folds into the store, and the pane on the screen shows its view."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence

from zypher_tui.choices import Choices, wants_no_colours
from zypher_tui.config import Config
from zypher_tui.controls import Controls
from zypher_tui.core.absence import Absence
from zypher_tui.core.cleaning import clean
from zypher_tui.core.readings import SourceName
from zypher_tui.core.store import Store
from zypher_tui.core.times import Times
from zypher_tui.core.troubles import Addresses
from zypher_tui.core.view import View
from zypher_tui.deeds import Deeds
from zypher_tui.ending import end_at_sigterm, end_with_terminal, give_up
from zypher_tui.feeds import INTERVAL_S, Feeds, Opener
from zypher_tui.frames import Frames
from zypher_tui.guide import Guide
from zypher_tui.load.desk import ClosedDesk, Desk
from zypher_tui.panes import Panes
from zypher_tui.recordist import Recordist
from zypher_tui.screens.pane import Pane
from zypher_tui.shell import Shell
from zypher_tui.sources.operator import Operator
from zypher_tui.sources.source import READ_ONLY
from zypher_tui.textual_theme import variables_of
from zypher_tui.themes import DARK, Theme
from zypher_tui.widgets.small import LEAST_COLUMNS, LEAST_ROWS

NO_DESK = "Nothing can be sent from here: this dashboard only shows what was seen."


class Dashboard(Controls):
    """Puts the parts together, begins and ends."""

    CSS_PATH = "dashboard.tcss"
    TITLE = "Zypher"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [(0, "-slim"), (LEAST_COLUMNS, "-narrow"), (160, "-wide")]  # noqa: RUF012  # as Textual types it
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (LEAST_ROWS, "-short"), (30, "-tall"), (50, "-vast")]  # noqa: RUF012

    def __init__(
        self,
        openers: Mapping[SourceName, Opener],
        *,
        api_url: str,
        store: Store | None = None,
        interval_s: float = INTERVAL_S,
        clock_s: Callable[[], float] = time.monotonic,
        times: Times | None = None,
        config: Config | None = None,
        theme: Theme = DARK,
        desk: Desk | None = None,
        operator: Callable[[], Operator] | None = None,
        read_only: bool = False,
        closed: str = "",
        addresses: Addresses | None = None,
    ) -> None:
        """``openers`` make the sources; they run in a thread after the first frame, for their imports are slow.

        ``times`` are given where now is not what the clock says. ``theme`` is what it begins with; ``NO_COLOR`` has no
        colours, whatever it says. ``desk`` starts loads. ``operator`` makes what acts; without one nothing can be
        changed from here. ``closed`` is why, as a sentence, whatever is shown.
        """
        super().__init__(ansi_color=True if wants_no_colours() else None)
        self.animation_level = "none"  # a page down is there at once, and a slow link gets no frames on the way
        self.choices = Choices(self, config, theme=theme, redraw=self._draw)
        self.store = store or Store(expected=openers)
        self.times = times or Times(self.store, clock_s)
        clock_s = self.times.clock_s
        self.feeds = Feeds(openers, self.store, changed=self._note_change, interval_s=interval_s, clock_s=clock_s)
        self.api_url = clean(api_url)
        closed = READ_ONLY if read_only else closed
        self.deeds = Deeds(self, operator, closed=closed, view=lambda: self.view, changed=self._take_in)
        self.recordist = Recordist(self, self.store, clock_s=clock_s, changed=self._note_change)
        self.panes = Panes(
            self.feeds,
            self.store,
            api_url=self.api_url,
            columns=self.choices.columns,
            closed=closed,
            desk=desk or ClosedDesk(closed or NO_DESK),
            clock_s=clock_s,
            changed=self._note_change,
        )
        self.shell = Shell(self.panes, draw=self._draw)
        self.absence = Absence(self.store, addresses or Addresses(api_url=self.api_url), clock_s=clock_s)
        self.frames = Frames(self, self.shell, self.panes, self.times, self.absence, mark=lambda: self.recordist.mark)
        self.guide = Guide(
            self,
            self.shell,
            self.panes,
            self.feeds,
            self.times,
            api_url=self.api_url,
            every_s=interval_s,
            closed=closed,
            draw=self._draw,
        )

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """What ``dashboard.tcss`` needs before a theme is chosen."""
        return variables_of(DARK)

    def get_default_screen(self) -> Shell:
        """What is under everything else."""
        return self.shell

    def on_mount(self) -> None:
        """Begin to ask, and to draw what comes."""
        self._set_breakpoints()
        end_at_sigterm(self)
        self.set_interval(self.choices.frame_s, self.frames.tick)
        for name, loop in self.feeds.loops().items():
            self.run_worker(loop(), name=name, exit_on_error=False)

    async def on_unmount(self) -> None:
        """Let go of the sources, once nobody asks them any more."""
        self.feeds.leave()
        await self.recordist.aclose()
        await give_up(self.workers)
        await self.deeds.aclose()
        await self.feeds.aclose()

    def run_here(self) -> int:
        """Show it in this terminal, and no longer than that is there; returns the exit code."""
        self.frames.has_process = True
        end_with_terminal()
        code = self.run() or 0
        for said in self.recordist.said:
            sys.stdout.write(f"{said}\n")
        for sentence in self.deeds.left_in_the_middle:
            sys.stderr.write(f"{sentence}\n")
        return code

    @property
    def view(self) -> View:
        """What is shown: now, or the time in the past."""
        return self.times.view

    @property
    def pane(self) -> Pane:
        """The open one."""
        return self.panes.shown

    @property
    def now_s(self) -> float:
        """The dashboard's time."""
        return self.times.now_s

    def show_time(self, at_s: float | None) -> None:
        """Show that time of the past, or now."""
        self.times.show(at_s)
        self._draw()

    def _set_breakpoints(self) -> None:
        """Textual sets these classes with the first resize, after a first frame in the wrong layout."""
        for dimension, breakpoints in (
            (self.size.width, self.HORIZONTAL_BREAKPOINTS),
            (self.size.height, self.VERTICAL_BREAKPOINTS),
        ):
            self.screen.add_class(next(name for least, name in reversed(breakpoints or []) if dimension >= least))

    async def _take_in(self, again: Sequence[str], gone: Sequence[str]) -> None:
        """Something was done to these: show it now."""
        await self.panes.take_in(again, gone)
        self._draw()

    def _draw(self) -> None:
        self.frames.draw()

    def _note_change(self) -> None:
        self.frames.note_change()
