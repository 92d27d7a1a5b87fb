"""When what is shown is drawn: what changed, twice a second at most; ages go on by the second with nothing new."""

import gc
import time
from collections.abc import Callable

from zypher_tui.core.absence import Absence
from zypher_tui.core.times import Times
from zypher_tui.pace import PacedApp
from zypher_tui.panes import Panes
from zypher_tui.screens.prediction import PredictionScreen
from zypher_tui.shell import Shell
from zypher_tui.widgets.header import Mark

FRAME_S = 0.5
"""Least time between two frames; what comes in meanwhile is drawn together."""
AGES_S = 0.99


class Frames:
    """Of what is seen: the panes with the lines around them, or the prediction that is open."""

    def __init__(
        self,
        app: PacedApp[int],
        shell: Shell,
        panes: Panes,
        times: Times,
        absence: Absence,
        *,
        mark: Callable[[], Mark | None],
    ) -> None:
        """``mark`` is what the first line says of a recording."""
        self.has_process = False
        """Whether nothing else runs in this process."""
        self._app = app
        self._shell = shell
        self._panes = panes
        self._times = times
        self._absence = absence
        self._mark = mark
        self._changed = True
        self._drawn_at_s = float("-inf")
        self._has_drawn_figures = False

    def note_change(self) -> None:
        """There is something new for the next frame."""
        self._changed = True
        if not self._has_drawn_figures:
            self.draw()  # the first ones are waited for

    def tick(self) -> None:
        """It is time for a frame."""
        self._changed |= self._times.pass_on()
        if not self._app.keeps_up:
            return
        if self._changed and self._panes.reads_ahead:
            # not awaited here: no key would be heard until then
            self._app.run_worker(self._draw_with_texts, group="frame", exclusive=True, exit_on_error=False)
        elif self._changed or time.monotonic() - self._drawn_at_s >= AGES_S:
            self.draw()

    def draw(self) -> None:
        """Draw at once: a person did something."""
        if not self._shell.header.is_attached:  # what came in while the screen was taken down
            return
        self._changed = False
        self._drawn_at_s = time.monotonic()
        view, span = self._times.view, self._times.span
        if view.has_figures and not self._has_drawn_figures and self.has_process:
            gc.freeze()  # all is imported and mounted: no collection needs to walk through it, 50 ms each time
        self._has_drawn_figures = view.has_figures
        for screen in self._app.screen_stack:
            if isinstance(screen, PredictionScreen):
                screen.show_view(view, span)
        if not isinstance(self._app.screen, PredictionScreen):  # nothing of the panes would be seen
            troubles = self._absence.troubles if self.is_blank else None
            self._shell.show(view, span, mark=self._mark(), troubles=troubles)

    @property
    def is_blank(self) -> bool:
        """Whether why there is nothing to show stands there, instead of a pane that needs figures."""
        return self._panes.shown.NEEDS_FIGURES and self._absence.is_felt(self._times.view)

    async def _draw_with_texts(self) -> None:
        """Rows have their texts when they are seen."""
        await self._panes.read_ahead(self._times.view)
        self.draw()
