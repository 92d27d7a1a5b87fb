"""Key 3: the workers, and all that is known of the one under the cursor. Those that were lost stay for ten minutes."""

from collections.abc import Awaitable, Callable
from functools import partial

from textual import on
from textual.app import ComposeResult
from textual.containers import Container
from textual.widget import Widget

from zypher_tui.core import formats
from zypher_tui.core.items import Target
from zypher_tui.core.timeline import Timeline
from zypher_tui.core.view import View
from zypher_tui.core.worker_rows import work_of
from zypher_tui.core.worker_series import WorkerSeries
from zypher_tui.keymap import Help
from zypher_tui.screens.pane import Copied, Filtered, Opened, Pane
from zypher_tui.widgets.table import Table
from zypher_tui.widgets.work import WorkTable
from zypher_tui.widgets.worker_panel import WorkerPanel
from zypher_tui.widgets.workers import WorkerTable

READ_EVERY_S = 1.0
"""How far along its predictions are is read again while somebody looks."""


class WorkersPane(Pane):
    """The table; beside or below it one worker, and its predictions."""

    ABOUT = Help(
        "Workers",
        "Those that are alive and those that were lost, and the one under the cursor in detail.",
    )

    TITLE = "Workers"
    KEYS = (("s", "sort"),)
    BINDINGS = [("c", "copy_id", "Copy")]  # noqa: RUF012  # as Textual types it

    def __init__(
        self,
        *,
        id: str,  # noqa: A002  # Textual's name
        timeline: Timeline,
        read_running: Callable[[str], Awaitable[None]],
    ) -> None:
        """``read_running`` has what a worker runs read anew."""
        super().__init__(id=id)
        self._read_running = read_running
        self._view: View | None = None
        self._table = WorkerTable(id="workers", with_departed=True)
        self._panel = WorkerPanel(id="worker", series=WorkerSeries(timeline))
        self._work = WorkTable(id="work")

    def compose(self) -> ComposeResult:
        """All of them, and one."""
        with Container(id="workers-body"):
            yield self._table
            with Container(id="worker-body"):
                yield self._panel
                yield self._work

    def on_mount(self) -> None:
        """Ask what it runs, again and again."""
        self.set_interval(READ_EVERY_S, self._read)

    @property
    def first(self) -> Widget:
        """The table."""
        return self._table

    @classmethod
    def count(cls, view: View) -> str:
        """How many are alive."""
        return formats.count(len(view.workers)) if view.has_figures else ""

    def show_view(self, view: View) -> None:
        """Draw what changed."""
        self._view = view
        self._table.show_view(view)
        self._show_selected()

    def lead_to(self, target: Target) -> None:
        """To its worker."""
        self._table.select(lambda row: row.worker.worker_id == target.worker_id)

    def action_copy_id(self) -> None:
        """Put the worker's id on the terminal's clipboard."""
        row = self._table.selected
        if row is not None:
            self.post_message(Copied(row.worker.worker_id, "the worker's id"))

    @on(Table.Moved, "#workers")
    def show_another(self, message: Table.Moved) -> None:
        """The cursor went to another worker."""
        message.stop()
        self._show_selected()

    @on(Table.Chosen, "#workers")
    def open_predictions(self, message: Table.Chosen) -> None:
        """Show the predictions that a worker ran."""
        message.stop()
        self.post_message(Filtered(f"worker:{message.key}"))

    @on(Table.Chosen, "#work")
    def open_prediction(self, message: Table.Chosen) -> None:
        """Show one whole."""
        message.stop()
        self.post_message(Opened(message.key))

    def _show_selected(self) -> None:
        view, row = self._view, self._table.selected
        if view is None:
            return
        work = [] if row is None else work_of(view, row)
        self._panel.show(row, view, work)
        self._work.show_work(row, view, work)

    def _read(self) -> None:
        row, view = self._table.selected, self._view
        if self.display and row is not None and row.departed is None and view is not None and view.past_s is None:
            self.run_worker(partial(self._read_running, row.worker.worker_id), exit_on_error=False, exclusive=True)
