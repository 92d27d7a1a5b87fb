"""Key 2: all predictions that are known, those that a filter keeps, and marks on them."""

import time
from collections.abc import Collection, Sequence

from textual import on
from textual.app import ComposeResult
from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget

from zypher_tui.core import formats
from zypher_tui.core.choosing import USUAL
from zypher_tui.core.filters import EVERYTHING, Filter
from zypher_tui.core.selection import Selection
from zypher_tui.core.view import View
from zypher_tui.keymap import Help
from zypher_tui.screens.pane import Pane
from zypher_tui.widgets.column_dialog import ColumnDialog
from zypher_tui.widgets.filter_line import FilterLine
from zypher_tui.widgets.prediction_columns import columns_of
from zypher_tui.widgets.predictions import PredictionTable

SEARCH_S = 0.003
"""Of each step of a search: keys that are pressed meanwhile do not wait longer."""
SEARCH_EVERY_S = 0.01
FOUND_EVERY_S = 0.1
"""So often is shown what a search has found until then; what it found first, at once."""
AGED_MS = 5_000
"""After so long a filter is applied anew: ages have changed."""


class ColumnsChosen(Message):
    """The list is to have these columns the next time, too."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = names


class PredictionsPane(Pane):
    """The table, and the line in which its filter is typed."""

    ABOUT = Help(
        "Predictions",
        'All that are known, newest first. A filter keeps some: status:failed model:fraud* age<1h "some text".',
        (
            ("marks", "What is marked is what keys act on; else it is the one under the cursor"),
            ("columns", "Which there are is chosen, and kept; some are left out where there is no room"),
        ),
    )

    TITLE = "Predictions"
    KEYS = (
        ("/", "filter"),
        ("space", "mark"),
        ("r", "replay"),
        ("x", "cancel"),
        ("R X D", "many"),
        ("u", "unmark"),
        ("o", "columns"),
    )
    BINDINGS = [  # noqa: RUF012  # as Textual types it
        ("slash", "filter", "Filter"),
        ("escape", "drop_filter", "Show all"),
        ("space", "mark", "Mark"),
        ("u", "unmark", "Unmark all"),
        ("o", "columns", "Columns"),
    ]

    def __init__(self, *, id: str, api_url: str, columns: Sequence[str] = USUAL) -> None:  # noqa: A002  # Textual's
        super().__init__(id=id)
        self.table = PredictionTable(id="predictions", api_url=api_url, columns=columns)
        self._filter_line = FilterLine(id="filter")
        self._filter = EVERYTHING
        self._view: View | None = None
        self._selection: Selection | None = None
        self._applied_ms = 0
        self._searching: Timer | None = None
        self._found_s = 0.0
        """When what a search found was shown last."""

    def compose(self) -> ComposeResult:
        """The table, and below it the filter while it is typed."""
        yield self.table
        yield self._filter_line

    def on_mount(self) -> None:
        """The search goes on between frames."""
        self._searching = self.set_interval(SEARCH_EVERY_S, self._search, pause=True)

    @property
    def first(self) -> Widget:
        """The table."""
        return self.table

    @property
    def filter(self) -> Filter:
        """Which of them are shown."""
        return self._filter

    @property
    def selected(self) -> Sequence[str]:
        """Ids of the marked ones, or of the one under the cursor."""
        row = self.table.selected
        return sorted(self.table.marked) or ([row.prediction_id] if row else [])

    @classmethod
    def count(cls, view: View) -> str:
        """How many are known."""
        return formats.count(len(view.rows)) if view.has_figures else ""

    def show_view(self, view: View) -> None:
        """Draw what changed."""
        self._view = view
        self._follow(view)
        self.table.show_view(view, self._selection)

    def show_only(self, kept: Filter) -> None:
        """Those that the filter keeps; it stands in the line when that is opened."""
        self._filter_line.set_text(kept.text)
        self._apply(kept)

    def action_filter(self) -> None:
        """Type which predictions are shown."""
        self._filter_line.open()

    def action_drop_filter(self) -> None:
        """Show all again."""
        self.show_only(EVERYTHING)

    def action_mark(self) -> None:
        """Mark the one under the cursor, or take its mark away, and go on to the next."""
        row = self.table.selected
        if row is not None:
            self.table.marked ^= {row.prediction_id}
            self.table.action_move(1)
            self._draw()

    def action_unmark(self) -> None:
        """Take all marks away."""
        self.table.marked.clear()
        self._draw()

    def action_columns(self) -> None:
        """Choose the columns."""
        shown = [column.title for column in self.table.columns]
        dialog = ColumnDialog(shown, show=self._use_columns, keep=self._keep_columns)
        self.app.push_screen(dialog)  # pyright: ignore[reportUnknownMemberType]  # Textual leaves it open

    def _keep_columns(self, names: Sequence[str]) -> None:
        self.post_message(ColumnsChosen(names))

    def _use_columns(self, names: Sequence[str]) -> Collection[str]:
        self.table.use_columns(columns_of(names))
        return self.table.fitting

    @on(FilterLine.Filtered)
    def filter_predictions(self, message: FilterLine.Filtered) -> None:
        """Show those that it keeps."""
        message.stop()
        self._apply(message.found)
        if message.left:
            self.table.focus()

    def _apply(self, kept: Filter) -> None:
        self._filter = kept
        self._let_go()
        self._draw()

    def _draw(self) -> None:
        if self._view is not None:
            self.show_view(self._view)
            self.table.refresh()

    def _follow(self, view: View) -> None:
        """Have a selection of this filter, at this time."""
        selection = self._selection
        if selection is not None and (selection.as_of_ms != view.as_of_ms or not view.has_figures):
            self._let_go()
        if self._selection is None and self._filter.tests and view.has_figures:
            self._applied_ms = view.now_ms
            self._selection = Selection(view.book, self._filter, now_ms=view.now_ms, as_of_ms=view.as_of_ms)
        elif self._selection is not None and view.now_ms - self._applied_ms > AGED_MS and self._selection.is_complete:
            self._applied_ms = view.now_ms
            self._selection.age(view.now_ms)
        if self._selection is not None and not self._selection.is_complete:
            self._selection.look(SEARCH_S, time.perf_counter)
            if self._searching is not None:
                self._searching.resume()

    def _search(self) -> None:
        """Look at more rows, and show what was found."""
        selection, view = self._selection, self._view
        if selection is None or selection.is_complete or view is None:
            if self._searching is not None:
                self._searching.pause()
            return
        has_found = selection.look(SEARCH_S, time.perf_counter)
        now_s = time.perf_counter()
        is_due = has_found and (not self.table.rows or now_s - self._found_s >= FOUND_EVERY_S)
        if is_due or selection.is_complete:
            self._found_s = now_s
            self.table.show_view(view, selection)

    def _let_go(self) -> None:
        if self._selection is not None:
            self._selection.close()
            self._selection = None
