"""Key 4: the models. Each version with its traffic and figures, one of them in detail, two of them compared."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from textual import on
from textual.app import App, ComposeResult
from textual.containers import Container
from textual.widget import Widget

from zypher_tui.core import formats
from zypher_tui.core.comparing import Comparison, compare
from zypher_tui.core.items import Target
from zypher_tui.core.model_facts import call
from zypher_tui.core.model_rows import Condition, ModelRow, Served, model_rows, recent
from zypher_tui.core.readings import SourceName
from zypher_tui.core.rows import Row
from zypher_tui.core.traffic import Deed, ModelChange
from zypher_tui.core.view import View
from zypher_tui.keymap import Help
from zypher_tui.screens.deploying import question, why_not
from zypher_tui.screens.pane import Copied, Filtered, Pane
from zypher_tui.sources.source import Deploys, Source
from zypher_tui.widgets.model_panel import ModelPanel
from zypher_tui.widgets.models import ModelTable
from zypher_tui.widgets.table import Table

READ_EVERY_S = 2.0
"""How the models are deployed is read again while somebody looks."""
COUNT_EVERY_S = 1.0
"""Rows are counted anew so often."""
COMPARE_EVERY_S = 5.0
Pair = tuple[ModelRow, ModelRow, Comparison]


class ModelsPane(Pane):
    """The table; beside or below it one version."""

    ABOUT = Help(
        "Models",
        "Each version with its traffic and figures; one in detail, and what it differs in from another.",
        (
            ("traffic", "Its share of those who name no version; a shadow gets copies"),
            ("compared", "The two that are marked; or the busiest of the model and this one"),
            ("asleep", "Out of memory, loaded at its next call"),
        ),
    )

    TITLE = "Models"
    KEYS = (("space", "compare"), ("T", "traffic"), ("B", "roll back"), ("s", "sort"))
    BINDINGS = [  # noqa: RUF012  # as Textual types it
        ("space", "mark", "Mark"),
        ("u", "unmark", "Unmark all"),
        ("c", "copy_call", "Copy"),
        ("T", "change('SWITCH')", "Switch traffic"),
        ("B", "change('ROLL_BACK')", "Roll back"),
        ("L", "change('LOAD')", "Load"),
        ("U", "change('UNLOAD')", "Unload"),
    ]

    def __init__(
        self,
        *,
        id: str,  # noqa: A002  # Textual's name
        api_url: str,
        read_models: Callable[[], Awaitable[Served | None]],
        sources: Callable[[], Mapping[SourceName, Source]],
        closed: str = "",
    ) -> None:
        """``read_models`` asks the first of the ``sources`` that answers; ``None``: none does.

        ``closed``: see ``Deeds``.
        """
        super().__init__(id=id)
        self._why_closed = closed
        self._sources = sources
        self._api_url = api_url
        self._read_models = read_models
        self._served: Served | None = None
        self._view: View | None = None
        self._counted: tuple[object, ...] = ()
        self._recent: Sequence[Row] = ()
        self._pair: tuple[tuple[object, ...], Pair] | None = None
        self._table = ModelTable(id="models")
        self._panel = ModelPanel(id="model", api_url=api_url)

    def compose(self) -> ComposeResult:
        """All of them, and one."""
        with Container(id="models-body"):
            yield self._table
            yield self._panel

    def on_mount(self) -> None:
        """Ask how they are deployed, again and again."""
        self.set_interval(READ_EVERY_S, self._read)

    def on_show(self) -> None:
        """Ask at once."""
        self._read()

    @property
    def first(self) -> Widget:
        """The table."""
        return self._table

    @property
    def served(self) -> Served | None:
        """How they are deployed, as it was last read."""
        return self._served

    @classmethod
    def count(cls, view: View) -> str:
        """How many are known."""
        return formats.count(len(view.health.models)) if view.health else ""

    def show_view(self, view: View) -> None:
        """Draw what changed; the rows are counted once a second."""
        self._view = view
        counted = (view.as_of_ms, int(view.now_s / COUNT_EVERY_S), self._served)
        if counted == self._counted:
            return
        self._counted = counted
        self._recent = recent(view)
        note = "as Redis knows them" if self._served and self._served.source is SourceName.REDIS else ""
        self._table.show_rows(view, model_rows(view, self._recent, self._served), note)
        self._show_selected()

    def lead_to(self, target: Target) -> None:
        """To its model, and there to the version that failed, if one did."""
        failed = [row for row in self._table.rows if row.model == target.model and row.condition is Condition.FAILED]
        key = failed[0].key if failed else None
        self._table.select(lambda row: row.key == key if key else row.model == target.model)

    def action_mark(self) -> None:
        """Mark the one under the cursor, or take its mark away; of two that are marked, the earlier goes."""
        row = self._table.selected
        if row is not None:
            marked = self._table.marked
            if row.key in marked:
                marked.remove(row.key)
            else:
                self._table.marked = [*marked[-1:], row.key]
            self._draw()

    def action_unmark(self) -> None:
        """Take all marks away."""
        self._table.marked = []
        self._draw()

    def action_copy_call(self) -> None:
        """Put a call of the version on the terminal's clipboard."""
        row = self._table.selected
        if row is not None:
            self.post_message(Copied(call(row, self._api_url), f"a call of {row.key}"))

    def action_change(self, deed: str) -> None:
        """Ask what would come of it, and do it."""
        row, source = self._table.selected, self._sources().get(SourceName.API)
        why = self._why_closed or why_not(self._view, source)
        if not why and (row is None or row.detail is None):
            why = "Nobody says how it is deployed; its traffic cannot be changed."
        if why or row is None or row.detail is None or not isinstance(source, Deploys):
            self.notify(why, severity="warning", markup=False)
            return
        asked, name = Deed[deed], row.model

        def done(is_done: bool | None) -> None:
            if is_done:
                self.notify(ModelChange(deed=asked, model=name).done, markup=False)
            self._read()

        self._dashboard.push_screen(question(asked, row.detail, source, self.post_message), done)

    @property
    def _dashboard(self) -> App[int]:
        return self.app  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # Textual leaves it open

    @on(Table.Moved, "#models")
    def show_another(self, message: Table.Moved) -> None:
        """The cursor went to another version."""
        message.stop()
        self._show_selected()

    @on(Table.Chosen, "#models")
    def open_predictions(self, message: Table.Chosen) -> None:
        """Show the predictions of a version."""
        message.stop()
        row = self._table.selected
        if row is not None:
            version = f" version:{row.version}" if row.version else ""
            self.post_message(Filtered(f"model:{row.model}{version}"))

    def _draw(self) -> None:
        self._counted = ()
        if self._view is not None:
            self.show_view(self._view)

    def _show_selected(self) -> None:
        view, row = self._view, self._table.selected
        if view is None:
            return
        rows = [each for each in self._recent if row and (each.model, each.version) == (row.model, row.version)]
        self._panel.show_row(row, view, self._served, rows, self._compared(row, view) if row else None)

    def _compared(self, row: ModelRow, view: View) -> Pair | None:
        """The two that are marked; else the one that is marked, or the busiest of its model, and the one here."""
        rows = self._table.rows
        marked = [each for key in self._table.marked for each in rows if each.key == key]
        others = [each for each in rows if each.model == row.model and each.key != row.key]
        if len(marked) == 2:
            first, second = marked
        else:
            chosen = [each for each in marked if each.key != row.key] or sorted(others, key=lambda each: -each.share)
            other = next((each for each in chosen if each.stats is not None), None)
            if other is None:
                return None
            first, second = (row, other) if not marked and row.share > other.share else (other, row)
        if first.stats is None or second.stats is None:
            return None
        state = (first.key, second.key, view.as_of_ms, int(view.now_s / COMPARE_EVERY_S))
        if self._pair is None or self._pair[0] != state:
            self._pair = state, (first, second, compare(first.stats, second.stats))
        return self._pair[1]

    def _read(self) -> None:
        if self.display:
            self.run_worker(self._take_in, exit_on_error=False, exclusive=True)

    async def _take_in(self) -> None:
        served = await self._read_models()
        if served is not None:
            self._served = served
        self._draw()
