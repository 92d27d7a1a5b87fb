"""Key 1: how it stands. Figures, depth and throughput over time, workers, what came last."""

from textual.app import ComposeResult
from textual.containers import Container
from textual.widget import Widget

from zypher_tui.core.history import LONGEST_GAP_S
from zypher_tui.core.view import View
from zypher_tui.screens.pane import Pane
from zypher_tui.widgets.chart import Chart
from zypher_tui.widgets.figures import FigureRow
from zypher_tui.widgets.predictions import PredictionTable
from zypher_tui.widgets.workers import WorkerTable

SPANS_S = (1.0, 5.0, 20.0, 180.0)
"""Seconds that one column of a chart can stand for."""
MOST_CELLS = 200
"""As wide as a chart may be before it knows how wide it is."""


class OverviewPane(Pane):
    """The whole system on one screen."""

    TITLE = "Overview"
    KEYS = (("t", "span"),)
    BINDINGS = [("t", "span", "Time span")]  # noqa: RUF012  # as Textual types it

    def __init__(self, *, id: str, api_url: str) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self._step_s = SPANS_S[0]
        self._view: View | None = None
        self._figure_row = FigureRow(id="figures")
        self._depth_chart = Chart(id="depth", title="Queue depth", ramp="depth")
        self._throughput_chart = Chart(id="throughput", title="Finished per second", ramp="throughput")
        self._worker_table = WorkerTable(id="alive")
        self._feed = PredictionTable(id="feed", api_url=api_url, title="Latest predictions")

    def compose(self) -> ComposeResult:
        """Figures above, the rest in a grid."""
        yield self._figure_row
        yield Container(self._depth_chart, self._throughput_chart, self._worker_table, self._feed, id="body")

    @property
    def first(self) -> Widget:
        """The feed."""
        return self._feed

    def show_view(self, view: View) -> None:
        """Draw what changed."""
        self._view = view
        self._figure_row.show(view)
        span_s = 2 * (self.size.width or MOST_CELLS) * self._step_s
        samples = view.samples(last_s=span_s + LONGEST_GAP_S)
        depth = [(sample.at_s, float(sample.depth)) for sample in samples]
        per_s = [(sample.at_s, sample.per_s) for sample in samples]
        self._depth_chart.show(depth, end_s=view.now_s, step_s=self._step_s)
        self._throughput_chart.show(per_s, end_s=view.now_s, step_s=self._step_s)
        self._worker_table.show_view(view)
        self._feed.show_view(view)

    def action_span(self) -> None:
        """The next span of time for the charts."""
        self._step_s = SPANS_S[(SPANS_S.index(self._step_s) + 1) % len(SPANS_S)]
        if self._view is not None:
            self.show_view(self._view)
