"""The dashboard: one long loop asks each source, readings fold into the store, and the screen shows its view."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Mapping
from typing import ClassVar

from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container

from zypher_jobs.contracts.prediction import Prediction
from zypher_jobs.errors import UnknownPrediction
from zypher_tui.core.cleaning import clean
from zypher_tui.core.readings import Reading, SourceName
from zypher_tui.core.store import Store
from zypher_tui.core.view import View
from zypher_tui.palette import palette
from zypher_tui.sources.source import Source, SourceAway
from zypher_tui.widgets.chart import Chart
from zypher_tui.widgets.dialogs import HelpDialog, PredictionDialog
from zypher_tui.widgets.figures import FigureRow
from zypher_tui.widgets.filter_line import FilterLine
from zypher_tui.widgets.header import Header, Notice
from zypher_tui.widgets.keys import KeyLine
from zypher_tui.widgets.predictions import PredictionTable, curl
from zypher_tui.widgets.table import Table
from zypher_tui.widgets.workers import WorkerTable

INTERVAL_S = 1.0
"""Time between two questions to a source."""
FRAME_S = 0.5
"""Least time between two frames; readings that come in meanwhile are drawn together."""
SPANS_S = (1.0, 5.0, 20.0)
"""Seconds that one column of a chart can stand for."""

Opener = Callable[[], Source]


class Dashboard(App[int]):
    """``openers`` make the sources; they run in a thread after the first frame, for their imports are slow."""

    CSS_PATH = "dashboard.tcss"
    TITLE = "Zypher"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (160, "-wide")]  # noqa: RUF012  # as Textual types it
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall"), (50, "-vast")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit"),
        Binding("ctrl+c", "quit", "Quit", show=False, priority=True),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("p", "pause", "Pause"),
        Binding("t", "span", "Time span"),
        Binding("tab", "app.focus_next", "Next table", key_display="tab"),
        Binding("enter", "details", "Details", key_display="⏎"),
        Binding("c", "copy", "Copy"),
        Binding("slash", "filter", "Filter", key_display="/"),
    ]

    def __init__(
        self,
        openers: Mapping[SourceName, Opener],
        *,
        api_url: str,
        store: Store | None = None,
        interval_s: float = INTERVAL_S,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.store = store or Store(expected=openers)
        self._openers = openers
        self._sources: dict[SourceName, Source] = {}
        self._api_url = clean(api_url)
        self._interval_s = interval_s
        self._clock_s = clock_s
        self._step_s = SPANS_S[0]
        self._changed = True
        self._drawn_at_s = float("-inf")
        self._paused: View | None = None
        self._header_line = Header(id="header")
        self._notice_line = Notice(id="notice")
        self._figure_row = FigureRow(id="figures")
        self._depth_chart = Chart(id="depth", title="Queue depth", low=palette.BLUE, high=palette.SKY)
        self._throughput_chart = Chart(id="throughput", title="Finished per second", low="#00543d", high="#1fd6a3")
        self._worker_table = WorkerTable(id="workers")
        self._filter_line = FilterLine(id="filter")
        self._prediction_table = PredictionTable(id="predictions", api_url=self._api_url)

    def compose(self) -> ComposeResult:
        """Header, figures, charts, tables, keys."""
        yield self._header_line
        yield self._notice_line
        yield self._figure_row
        yield Container(
            self._depth_chart, self._throughput_chart, self._worker_table, self._prediction_table, id="body"
        )
        yield self._filter_line
        yield KeyLine(id="keys")

    def on_mount(self) -> None:
        """Begin to ask, and to draw."""
        self._set_breakpoints()
        self._prediction_table.focus()
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # not in the main thread: a test
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.exit, 0)
        self._draw()
        self.set_interval(FRAME_S, self._draw_if_due)
        for name, opener in self._openers.items():
            self.run_worker(self._follow(name, opener), name=f"follow {name}", exit_on_error=False)

    def _set_breakpoints(self) -> None:
        """Textual sets these classes with the first resize, after a first frame in the wrong layout."""
        for dimension, breakpoints in (
            (self.size.width, self.HORIZONTAL_BREAKPOINTS),
            (self.size.height, self.VERTICAL_BREAKPOINTS),
        ):
            self.screen.add_class(next(name for least, name in reversed(breakpoints or []) if dimension >= least))

    async def on_unmount(self) -> None:
        """Let go of the sources."""
        for source in self._sources.values():
            await source.aclose()

    async def action_quit(self) -> None:
        """Leave with exit code 0."""
        self.exit(0)

    def action_help(self) -> None:
        """Show the keys."""
        self.push_screen(HelpDialog())

    def action_pause(self) -> None:
        """Stop the screen, or let it go on; the store collects either way."""
        self._paused = self.store.view(self._clock_s()) if self._paused is None else None
        self._draw()

    def action_span(self) -> None:
        """The next span of time for the charts."""
        self._step_s = SPANS_S[(SPANS_S.index(self._step_s) + 1) % len(SPANS_S)]
        self._draw()

    def action_details(self) -> None:
        """Open the selected prediction, from wherever the focus is."""
        self._prediction_table.action_choose()

    def action_copy(self) -> None:
        """Put the selected prediction's id, or the example call, on the terminal's clipboard."""
        row = self._prediction_table.selected
        self.copy_to_clipboard(row.prediction_id if row else curl(self._api_url))
        self.notify("Copied the prediction's id." if row else "Copied the example call.", timeout=2, markup=False)

    def action_filter(self) -> None:
        """Type which predictions are shown."""
        self._filter_line.open()

    @on(FilterLine.Filtered)
    def filter_predictions(self, message: FilterLine.Filtered) -> None:
        """Show those that it keeps."""
        self._prediction_table.filter = message.found
        if message.left:
            self._prediction_table.focus()
        self._draw()

    @on(Table.Chosen, "#predictions")
    def open_prediction(self, message: Table.Chosen) -> None:
        """Show all of the chosen prediction."""
        summary = next((row for row in self._view().latest if row.prediction_id == message.key), None)
        if summary is not None:
            self.push_screen(PredictionDialog(summary, self._read_prediction, every_s=self._interval_s))

    @property
    def is_reading(self) -> bool:
        """Whether every source was opened."""
        return self._sources.keys() == self._openers.keys()

    @property
    def now_s(self) -> float:
        """The dashboard's time."""
        return self._clock_s()

    def _view(self) -> View:
        return self._paused or self.store.view(self._clock_s())

    async def _follow(self, name: SourceName, opener: Opener) -> None:
        """Ask one source for as long as the dashboard runs; whatever goes wrong is shown and tried again."""
        while True:
            started_s = time.monotonic()
            try:
                source = self._sources.get(name)
                if source is None:
                    source = self._sources[name] = await asyncio.to_thread(opener)
                reading = await source.read(overview=self.store.wants_overview(name, self._clock_s()))
            except Exception as error:  # noqa: BLE001  # the dashboard outlives every source's defect and says so
                why = clean(f"{type(error).__name__}: {error}")[:200]
                reading = Reading(source=name, at_s=self._clock_s(), error=why)
            self.store.fold(reading)
            self._changed = True
            self._draw_if_due()
            await asyncio.sleep(max(self._interval_s - (time.monotonic() - started_s), 0.01))

    async def _read_prediction(self, prediction_id: str) -> Prediction | str:
        """The whole prediction from the first source that has it, or why there is none."""
        why = "no source is connected"
        for source in self._sources.values():
            try:
                return await source.prediction(prediction_id)
            except SourceAway as error:
                why = f"{source.name.label} is away: {error}"
            except UnknownPrediction:
                return "Only this is left of it: its retention has ended."
        return f"Only a preview can be shown: {why}."

    def _draw_if_due(self) -> None:
        """Draw what changed, at most every ``FRAME_S``; ages go on by the second with nothing new."""
        since_s = time.monotonic() - self._drawn_at_s
        if since_s >= FRAME_S * 0.9 and (self._changed or since_s >= 0.99):
            self._draw()

    def _draw(self) -> None:
        if not self._header_line.is_attached:  # a reading that came in while the screen was taken down
            return
        self._changed = False
        self._drawn_at_s = time.monotonic()
        now_s, view = self._clock_s(), self._view()
        self._header_line.show(view, paused_s=now_s - self._paused.now_s if self._paused else None)
        self._notice_line.show(view)
        self._figure_row.show(view)
        self._header_line.screen.set_class(view.stale_s is not None, "-stale")
        depth = [(sample.at_s, float(sample.depth)) for sample in view.samples]
        per_s = [(sample.at_s, sample.per_s) for sample in view.samples]
        self._depth_chart.show(depth, end_s=view.now_s, step_s=self._step_s)
        self._throughput_chart.show(per_s, end_s=view.now_s, step_s=self._step_s)
        self._worker_table.show_view(view)
        self._prediction_table.show_view(view)


def run_dashboard(*, api_url: str, redis_url: str | None, api_key: str | None = None) -> int:
    """Show the dashboard in this terminal until ``q`` or Ctrl-C; returns the exit code."""
    return Dashboard(openers_of(api_url, redis_url, api_key=api_key), api_url=api_url).run() or 0


def openers_of(api_url: str, redis_url: str | None, *, api_key: str | None = None) -> dict[SourceName, Opener]:
    """The sources behind those addresses."""
    openers: dict[SourceName, Opener] = {SourceName.API: lambda: _open_api(api_url, api_key)}
    if redis_url:
        openers[SourceName.REDIS] = lambda: _open_redis(redis_url)
    return openers


def _open_api(url: str, api_key: str | None) -> Source:
    from zypher_tui.sources.api import ApiSource  # noqa: PLC0415  # 120 ms, after the first frame

    return ApiSource(url, api_key=api_key)


def _open_redis(url: str) -> Source:
    from zypher_tui.sources.redis import RedisSource  # noqa: PLC0415  # 155 ms, after the first frame

    return RedisSource(url)
