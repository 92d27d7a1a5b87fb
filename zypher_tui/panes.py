"""The panes behind the keys 1 to 6: which is open, and what they read themselves, beside the view that all show."""

from collections.abc import Callable, Sequence

from zypher_tui.core.items import Screen
from zypher_tui.core.model_rows import Served
from zypher_tui.core.store import Store
from zypher_tui.core.view import View
from zypher_tui.feeds import Feeds
from zypher_tui.load.desk import Desk
from zypher_tui.screens.dead_letters import DeadLettersPane, Read
from zypher_tui.screens.load import LoadPane
from zypher_tui.screens.models import ModelsPane
from zypher_tui.screens.overview import OverviewPane
from zypher_tui.screens.pane import Pane
from zypher_tui.screens.predictions import PredictionsPane
from zypher_tui.screens.workers import WorkersPane
from zypher_tui.widgets.predictions import PredictionTable


class Panes:
    """All of them, in the order of their keys. Their reads ask whichever source can tell."""

    def __init__(
        self,
        feeds: Feeds,
        store: Store,
        *,
        api_url: str,
        columns: Sequence[str],
        closed: str,
        desk: Desk,
        clock_s: Callable[[], float],
        changed: Callable[[], None],
    ) -> None:
        """``columns`` are those of the predictions, ``closed`` is why nothing can be changed, ``desk`` starts loads.

        ``changed`` is called when something that was read is in the store.
        """
        self._feeds = feeds
        self._store = store
        self._clock_s = clock_s
        self._changed = changed
        self.predictions = PredictionsPane(id="pane-predictions", api_url=api_url, columns=columns)
        self._dead_letters = DeadLettersPane(id="pane-dead_letters", read_letters=self._read_letters, closed=closed)
        self.all: Sequence[Pane] = (
            OverviewPane(id="pane-overview", api_url=api_url),
            self.predictions,
            WorkersPane(id="pane-workers", timeline=store.timeline, read_running=self._read_running),
            ModelsPane(
                id="pane-models",
                api_url=api_url,
                read_models=self._read_models,
                sources=lambda: feeds.sources,
                closed=closed,
            ),
            self._dead_letters,
            LoadPane(id="pane-load", desk=desk),
        )
        self.index = 0
        """Of the open one."""

    @property
    def shown(self) -> Pane:
        """The open one."""
        return self.all[self.index]

    def open(self, index: int) -> bool:
        """Whether another one is open now: not if there is none of that number."""
        is_other = index < len(self.all) and index != self.index
        if is_other:
            self.index = index
        return is_other

    def index_of(self, screen: Screen) -> int | None:
        """Which one shows what an item leads to; ``None``: none of its own."""
        ids = [pane.id for pane in self.all]
        return ids.index(f"pane-{screen.value}") if f"pane-{screen.value}" in ids else None

    def neighbour(self, prediction_id: str, step: int, view: View) -> str | None:
        """So many lines below a prediction in the list of the open pane, else among all of them."""
        row, table = self._store.book.get(prediction_id), self.shown.first
        if row is None:
            return None
        if isinstance(table, PredictionTable):
            return table.neighbour(row, step)
        rows = view.rows
        at = rows.find(row)
        return rows[at + step].prediction_id if at is not None and 0 <= at + step < len(rows) else None

    @property
    def reads_ahead(self) -> bool:
        """Whether the open one shows rows, whose texts are read before they are seen."""
        return isinstance(self.shown.first, PredictionTable)

    async def read_ahead(self, view: View) -> None:
        """Read the texts of those that are about to be seen."""
        table = self.shown.first
        if isinstance(table, PredictionTable):
            await self._feeds.look_up(table.upcoming(view))

    async def take_in(self, again: Sequence[str], gone: Sequence[str]) -> None:
        """Something was done to these predictions: read them again, and forget those that are gone."""
        self._store.book.bury(gone)
        self.predictions.table.marked.difference_update(gone)
        self._dead_letters.read()
        await self._feeds.look_again(again)

    async def _read_running(self, worker_id: str) -> None:
        """Read anew what a worker runs."""
        found = await self._feeds.first(lambda source: source.running_on(worker_id))
        if found is not None:
            self._store.book.fold(found[0])
            self._changed()

    async def _read_letters(self, model: str, fingerprint: str) -> Read | None:
        found = await self._feeds.first(lambda source: source.dead_letters(model=model, fingerprint=fingerprint))
        return Read(letters=found[0], source=found[1]) if found is not None else None

    async def _read_models(self) -> Served | None:
        """How the models are deployed."""
        found = await self._feeds.first(lambda source: source.models())
        return Served(models=found[0], source=found[1], at_s=self._clock_s()) if found is not None else None
