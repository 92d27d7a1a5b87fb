"""Where keys, clicks and what is chosen lead: to a pane, to the predictions of a filter, to one of them."""

from collections.abc import Callable, Sequence

from textual.app import App

from zypher_tui.core.filters import parse
from zypher_tui.core.items import Screen, Target
from zypher_tui.core.times import Times
from zypher_tui.feeds import Feeds
from zypher_tui.panes import Panes
from zypher_tui.screens.prediction import PredictionScreen
from zypher_tui.screens.predictions import PredictionsPane
from zypher_tui.shell import Shell


class Guide:
    """One for each dashboard."""

    def __init__(
        self,
        app: App[int],
        shell: Shell,
        panes: Panes,
        feeds: Feeds,
        times: Times,
        *,
        api_url: str,
        every_s: float,
        closed: str,
        draw: Callable[[], None],
    ) -> None:
        """``every_s``: how often a prediction that is open is read. ``closed``: see ``Deeds``."""
        self._app = app
        self._shell = shell
        self._panes = panes
        self._feeds = feeds
        self._times = times
        self._api_url = api_url
        self._every_s = every_s
        self._closed = closed
        self._draw = draw

    @property
    def titles(self) -> Sequence[str]:
        """Of the panes, in the order of their keys."""
        return [pane.TITLE for pane in self._panes.all]

    def open_pane(self, index: int) -> None:
        """Show another pane; none if there is none of that number."""
        self._leave_prediction()
        if self._panes.open(index):
            self._shell.show_pane()
        self._draw()

    def open_predictions(self) -> PredictionsPane:
        """Show the list of them."""
        self.open_pane(self._panes.all.index(self._panes.predictions))
        return self._panes.predictions

    def open_filtered(self, text: str) -> None:
        """Show the predictions that a filter keeps."""
        self.open_predictions().show_only(parse(text))

    def open_prediction(self, prediction_id: str, *, origin: str = "") -> None:
        """Show all of a prediction; behind it, what changed meanwhile."""

        def left(_: None) -> None:
            self._app.call_later(self._draw)

        screen = PredictionScreen(
            prediction_id,
            lambda: self._feeds.sources,
            api_url=self._api_url,
            every_s=self._every_s,
            neighbour=lambda of, step: self._panes.neighbour(of, step, self._times.view),
            origin=origin,
            closed=self._closed,
        )
        self._app.push_screen(screen, left)
        self._app.call_later(self._draw)

    def follow(self, target: Target) -> None:
        """Show what it is about: the prediction, its screen, or where there is none of that, those of its filter."""
        index = self._panes.index_of(target.screen)
        if target.prediction_id:
            self.open_prediction(target.prediction_id)
        elif target.screen is not Screen.PREDICTIONS and index is not None:
            self.open_pane(index)
            self._panes.shown.lead_to(target)
        else:
            self.open_filtered(target.filter)

    def _leave_prediction(self) -> None:
        """Back to the panes."""
        while isinstance(self._app.screen, PredictionScreen):
            self._app.pop_screen()
