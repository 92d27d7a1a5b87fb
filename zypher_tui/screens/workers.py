"""Key 3: the workers."""

from textual.app import ComposeResult
from textual.widget import Widget

from zypher_tui.core import formats
from zypher_tui.core.view import View
from zypher_tui.screens.pane import Pane
from zypher_tui.widgets.workers import WorkerTable


class WorkersPane(Pane):
    """Those that are alive."""

    TITLE = "Workers"

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self._table = WorkerTable(id="workers")

    def compose(self) -> ComposeResult:
        """One table."""
        yield self._table

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
        self._table.show_view(view)
