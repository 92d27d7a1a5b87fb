"""Key 1: how it stands. Figures, what needs attention, depth, throughput, latencies, queues, workers, a feed."""

from textual import on
from textual.app import ComposeResult
from textual.containers import Container
from textual.widget import Widget

from zypher_tui.core import formats
from zypher_tui.core.deeds import MOST_NAMED, Verb
from zypher_tui.core.filters import parse
from zypher_tui.core.history import LONGEST_GAP_S
from zypher_tui.core.items import RESUME, RETRY
from zypher_tui.core.queue_rows import drain_of_all, queue_rows
from zypher_tui.core.rows import Row
from zypher_tui.core.view import View
from zypher_tui.keymap import Help
from zypher_tui.screens.asked import Asked, QueueAsked
from zypher_tui.screens.pane import Filtered, Led, Opened, Pane
from zypher_tui.widgets.attention import AttentionList
from zypher_tui.widgets.chart import Chart
from zypher_tui.widgets.drawing import entitle
from zypher_tui.widgets.figures import FigureRow
from zypher_tui.widgets.heat_map import HeatMap
from zypher_tui.widgets.predictions import PredictionTable
from zypher_tui.widgets.queues import QueueTable
from zypher_tui.widgets.table import Table
from zypher_tui.widgets.workers import WorkerTable

SPANS_S = (1.0, 5.0, 20.0, 180.0)
"""Seconds that one column of a chart can stand for."""
MOST_CELLS = 200
"""As wide as a chart may be before it knows how wide it is."""
WIDEST_COLUMN_S = 60
"""Of the heat map, which reaches back an hour."""


class OverviewPane(Pane):
    """The whole system on one screen."""

    ABOUT = Help(
        "Overview",
        "The whole system: figures, queue and throughput over time, what needs attention, latencies, what came last.",
        (
            ("waiting", "Predictions in the queue, not yet claimed by a worker"),
            ("per s", "Predictions that ended per second, over the last 5 s"),
            ("failed", "Share of those that ended, over the last minute"),
            ("wait", "From created to started, of asynchronous predictions"),
            ("run", "From started to finished, of all"),
            ("p50 · p95", "Half of them, and 95 of 100, took at most this"),
        ),
    )

    TITLE = "Overview"
    KEYS = (("a", "attention"), ("t", "span"), ("w", "latency"))
    BINDINGS = [  # noqa: RUF012  # Textual's type
        ("a", "attend", "To what needs attention"),
        ("t", "span", "Time span"),
        ("w", "latency", "Wait, run or total"),
    ]

    def __init__(self, *, id: str, api_url: str) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self._step_s = SPANS_S[0]
        self._view: View | None = None
        self._figure_row = FigureRow(id="figures")
        self._depth_chart = Chart(id="depth", title="Queue depth", ramp="depth")
        self._throughput_chart = Chart(id="throughput", title="Finished per second", ramp="throughput")
        self._attention = AttentionList(id="attention")
        self._queue_table = QueueTable(id="queues")
        self._heat_map = HeatMap(id="heat")
        self._worker_table = WorkerTable(id="alive")
        self._feed = PredictionTable(id="feed", api_url=api_url, title="Latest predictions")

    def compose(self) -> ComposeResult:
        """Figures above, the rest in a grid."""
        yield self._figure_row
        yield Container(
            self._attention,
            self._depth_chart,
            self._throughput_chart,
            self._queue_table,
            self._heat_map,
            self._worker_table,
            self._feed,
            id="body",
        )

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
        self._say_drain(view)
        self._attention.show(view.items, now_s=view.now_s, is_known=view.has_figures)
        column_s = min(2 * self._step_s, WIDEST_COLUMN_S)
        self._heat_map.show(view.heat, end_ms=view.now_ms, step_ms=round(1000 * column_s))
        self._queue_table.show_view(view)
        self._worker_table.show_view(view)
        self._feed.show_view(view)

    def _say_drain(self, view: View) -> None:
        """When all that waits will have ended, beside how much that is."""
        empty_s = drain_of_all(view.overview).empty_s if view.overview else None
        says = f" · empty in {formats.age_s(empty_s)}" if empty_s and empty_s >= 1 else ""
        entitle(self._depth_chart, f"Queue depth{says}")

    def action_latency(self) -> None:
        """The next of total, run and wait."""
        self._heat_map.action_kind()

    @on(AttentionList.Chosen)
    def follow_item(self, message: AttentionList.Chosen) -> None:
        """Show what it is about, or do what its key says."""
        target = message.item.target
        if message.act == RESUME:
            self.post_message(QueueAsked(target.queue, pauses=False))
        elif message.act == RETRY:
            self.post_message(Asked(Verb.REPLAY, kept=parse(target.filter), rows=self._kept(target.filter)))
        else:
            self.post_message(Led(target))

    def _kept(self, text: str) -> list[Row]:
        """Those that are known and that a filter keeps, of the newest."""
        view, kept = self._view, parse(text)
        if view is None:
            return []
        return [row for row in view.rows[:MOST_NAMED] if kept.keeps(row, view.now_ms)]

    @on(Table.Chosen, "#queues")
    def open_queue(self, message: Table.Chosen) -> None:
        """Show what waits in it."""
        rows = queue_rows(self._view.overview if self._view else None)
        for row in rows:
            if row.queue.name == message.key:
                self.post_message(Filtered(row.filter))

    @on(HeatMap.Chosen)
    def open_cell(self, message: HeatMap.Chosen) -> None:
        """Show the predictions of the cell; one alone is shown whole."""
        cell = message.cell
        self.post_message(Opened(cell.ids[0]) if cell.count == 1 else Filtered(cell.filter))

    def action_attend(self) -> None:
        """Have the keys go to what needs attention."""
        self._attention.focus()

    def action_span(self) -> None:
        """The next span of time for the charts."""
        self._step_s = SPANS_S[(SPANS_S.index(self._step_s) + 1) % len(SPANS_S)]
        if self._view is not None:
            self.show_view(self._view)
