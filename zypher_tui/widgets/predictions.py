"""Predictions in a table, and what to type when there are none."""

import shlex
from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from zypher_tui.core import cells, formats
from zypher_tui.core.book import Book, Newest
from zypher_tui.core.choosing import USUAL
from zypher_tui.core.deeds import Verb, again, named_statuses
from zypher_tui.core.filters import EVERYTHING
from zypher_tui.core.rows import Row
from zypher_tui.core.selection import Selection
from zypher_tui.core.view import View
from zypher_tui.keymap import Help, keymap
from zypher_tui.palette import palette
from zypher_tui.screens.asked import Asked, is_there
from zypher_tui.widgets.drawing import Part, entitle
from zypher_tui.widgets.prediction_columns import columns_of
from zypher_tui.widgets.table import Table


class PredictionTable(Table[Row]):
    """Newest first, however many; those that a filter keeps, as they were at the time that is shown."""

    ABOUT = Help(
        "Predictions in a table",
        "One in each line. A cursor on the first line stays there; on any other it follows its prediction.",
        (
            ("wait · run", "From created to started, from started to finished"),
            ("result", "The begin of the output, the error, or how far it is"),
        ),
    )

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "ask('replay')", "Replay"),
        Binding("r", "ask('retry')", "Retry now"),
        Binding("x", "ask('cancel')", "Cancel"),
        Binding("R", "ask_many('replay')", "Replay them all"),
        Binding("R", "ask_many('retry')", "Retry them all now"),
        Binding("X", "ask_many('cancel')", "Cancel them all"),
        Binding("D", "ask_many('drop')", "Drop them all"),
    ]

    def __init__(
        self,
        *,
        id: str,  # noqa: A002  # Textual's name
        api_url: str,
        title: str = "Predictions",
        columns: Sequence[str] = USUAL,
    ) -> None:
        """``columns`` are the names of those that are shown, in their order."""
        super().__init__(id=id, columns=columns_of(columns), key=lambda row: row.prediction_id)
        self._title = title
        entitle(self, title)
        self.marked = set[str]()
        """Ids of those that a person marked."""
        self._api_url = api_url
        self._newest = Newest()
        self._is_whole = True
        self._kept = EVERYTHING
        self._as_of_ms: int | None = None
        self._book: Book | None = None

    def show_view(self, view: View, selection: Selection | None = None) -> None:
        """Show the view's predictions, or what the selection of them has found."""
        self._as_of_ms = view.as_of_ms
        self._book = view.book
        self._is_whole = selection is None or not selection.filter.tests
        self._kept = EVERYTHING if selection is None else selection.filter
        total = len(view.rows)
        self._newest = rows = view.rows if selection is None else selection.rows
        if selection is not None and selection.filter.tests:
            found = f"{formats.count(len(rows))} of {formats.count(total)}"
            found += "" if selection.is_complete else ", searching…"
            title = f"{self._title} · {found} · {cells.cut(selection.filter.text, max(self.size.width - 60, 40))}"
        else:
            title = f"{self._title} · {formats.count(total)}" if total else self._title
        entitle(self, f"{title} · {formats.count(len(self.marked))} marked" if self.marked else title)
        version = (view.book.revision, view.as_of_ms, len(rows), selection and selection.filter.text)
        self.show(rows, empty=self._hint(view, selection), version=version)

    def row_at(self, index: int) -> Row:
        """As it was at the time that is shown."""
        row = self._newest[index]
        return row if self._as_of_ms is None else row.as_of(self._as_of_ms)

    def upcoming(self, view: View) -> Sequence[Row]:
        """Those that are on the screen, or would be if it were drawn now."""
        if self.scroll_offset.y == 0 and self._is_whole:
            return view.rows[: len(self.shown) or self.size.height]
        return [self._newest[index] for index in self.shown]

    def find(self, row: Row) -> int | None:
        """By its place, not by looking at each."""
        return self._newest.find(row)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What waits is retried, what ended is replayed."""
        return is_there(action, parameters, self._verb_again)

    def action_ask(self, verb: str) -> None:
        """Do it to the marked ones, or else to the one under the cursor."""
        row = self.selected
        ids = sorted(self.marked) or ([row.prediction_id] if row else [])
        if ids:
            self.post_message(Asked(Verb(verb), ids))

    def action_ask_many(self, verb: str) -> None:
        """Do it to the marked ones, or else to all that the filter keeps."""
        if self.marked:
            self.post_message(Asked(Verb(verb), sorted(self.marked)))
        else:
            self.post_message(Asked(Verb(verb), kept=self._kept, rows=self._newest))

    def neighbour(self, row: Row, step: int) -> str | None:
        """So many lines below a prediction, or above it; the cursor goes along."""
        at = self.find(row)
        if at is None or not 0 <= at + step < len(self._newest):
            return None
        self.action_move(at + step - self._cursor)
        return self._newest[at + step].prediction_id

    def _verb_again(self, action: str) -> Verb:
        """By how those stand that are marked, or under the cursor, or by what the filter says."""
        if self.marked and self._book is not None:
            rows = [self._book.get(each) for each in self.marked]
        elif action == "ask":
            rows = [self.selected]
        else:
            return again(named_statuses(self._kept) or ())
        return again({row.status for row in rows if row is not None})

    def _hint(self, view: View, selection: Selection | None) -> list[list[Part]]:
        if not view.has_figures:
            text = "Waiting for figures…" if view.notice else "Connecting…"
            return [[(text, palette.DIM)]]
        if selection is not None and selection.filter.tests and len(view.rows):
            text = "The filter keeps none of them; escape takes it away." if selection.is_complete else "Searching…"
            return [[(text, palette.PLAIN)]]
        if view.past_s is not None:
            return [[("No predictions are known of that time.", palette.DIM)]]
        lines = curl(self._api_url, "\\\n").split("\n")
        return [
            [(f"No predictions yet. Send one (press {keymap.shown('c')} to copy):", palette.PLAIN)],
            [("", palette.PLAIN)],
            *[[(text, palette.BRAND)] for text in lines],
        ]


def curl(api_url: str, separator: str = "") -> str:
    """The command that sends a prediction, in one line or, with a separator, in three."""
    parts = (
        f"curl {shlex.quote(api_url.rstrip('/') + '/predict')}",
        "-H 'Async-Mode: true' -H 'Content-Type: application/json'",
        """-d '{"input": "hello"}'""",
    )
    return f" {separator}  ".join(parts) if separator else " ".join(parts)
