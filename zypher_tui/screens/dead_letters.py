"""Key 5: what failed for good, by the kind of its error, and the letters of the kind under the cursor."""

from collections.abc import Awaitable, Callable

import msgspec
from textual import on
from textual.app import ComposeResult
from textual.containers import Container
from textual.widget import Widget

from zypher_jobs.contracts.prediction import DeadLetterGroup
from zypher_tui.core import formats
from zypher_tui.core.deeds import Verb
from zypher_tui.core.filters import parse
from zypher_tui.core.letters import DeadLetters, filter_of, key_of, versions_of
from zypher_tui.core.readings import SourceName
from zypher_tui.core.view import View
from zypher_tui.keymap import Help
from zypher_tui.palette import palette
from zypher_tui.screens.asked import Asked
from zypher_tui.screens.pane import Filtered, Opened, Pane
from zypher_tui.widgets.drawing import entitle
from zypher_tui.widgets.letters import GroupTable, LetterTable
from zypher_tui.widgets.table import Table

READ_EVERY_S = 2.0


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """What a source said of dead letters."""

    letters: DeadLetters
    source: SourceName


class DeadLettersPane(Pane):
    """Kinds of errors above, letters below."""

    ABOUT = Help(
        "Dead letters",
        "What failed and is out of attempts, until somebody replays or drops it. They are shown as they are now.",
    )

    TITLE = "Dead letters"
    KEYS = (("r", "replay"), ("R", "all of the kind"), ("D", "drop"), ("f", "predictions"), ("l", "last good"))
    BINDINGS = [  # noqa: RUF012  # as Textual types it
        ("r", "replay_newest", "Replay"),
        ("R", "ask_kind('replay')", "Replay all of the kind"),
        ("D", "ask_kind('drop')", "Drop all of the kind"),
        ("f", "same_errors", "Predictions with that error"),
        ("l", "last_good", "Last good"),
    ]

    def __init__(
        self,
        *,
        id: str,  # noqa: A002  # Textual's name
        read_letters: Callable[[str, str], Awaitable[Read | None]],
        closed: str = "",
    ) -> None:
        """``read_letters`` takes model and fingerprint of the letters; ``None``: no source answers.

        ``closed``: see ``Deeds``.
        """
        super().__init__(id=id)
        self._why_closed = closed
        self._read_letters = read_letters
        self._view: View | None = None
        self._known: Read | None = None
        self._is_away = False
        self._of = ""
        """Whose letters are known."""
        self._groups = GroupTable(id="kinds")
        self._letters = LetterTable(id="letters")

    def compose(self) -> ComposeResult:
        """Both tables."""
        with Container(id="letters-body"):
            yield self._groups
            yield self._letters

    def on_mount(self) -> None:
        """Ask again and again while somebody looks."""
        self.set_interval(READ_EVERY_S, self.read)

    def on_show(self) -> None:
        """Ask at once."""
        self.read()

    @property
    def first(self) -> Widget:
        """The kinds of errors."""
        return self._groups

    @classmethod
    def count(cls, view: View) -> str:
        """How many there are."""
        return formats.count(view.overview.dead_letters) if view.overview and view.overview.dead_letters else ""

    def read(self) -> None:
        """Ask now, if somebody looks."""
        if self.display:
            self.run_worker(self._read, exit_on_error=False, exclusive=True)

    def show_view(self, view: View) -> None:
        """Draw what changed."""
        self._view = view
        self._draw()

    def action_replay_newest(self) -> None:
        """Replay the newest letter of the kind, to see whether it works now."""
        if (group := self._groups.selected) is not None:
            self.post_message(Asked(Verb.REPLAY, [group.newest_id]))
        elif self._why_closed:
            self.notify(self._why_closed, severity="warning", markup=False)

    def action_ask_kind(self, verb: str) -> None:
        """Have it done to all of the kind; where no filter says which they are, to those that are listed."""
        group = self._groups.selected
        if group is None:
            if self._why_closed:
                self.notify(self._why_closed, severity="warning", markup=False)
            return
        text = filter_of(group)
        listed = [] if self._known is None else self._known.letters.letters
        if text is not None:
            ids = {letter.prediction_id for letter in listed}
            rows = [] if self._view is None else [row for each in ids if (row := self._view.book.get(each))]
            self.post_message(Asked(Verb(verb), kept=parse(text), rows=rows))
        elif listed:
            self.post_message(Asked(Verb(verb), [letter.prediction_id for letter in listed]))

    def action_same_errors(self) -> None:
        """Show all predictions with that error, those that were replayed too."""
        group = self._groups.selected
        text = None if group is None else filter_of(group)
        if text is not None:
            self.post_message(Filtered(text))

    def action_last_good(self) -> None:
        """Show the newest of that model that succeeded."""
        group = self._groups.selected
        if group is not None and group.last_good_id is not None:
            self.post_message(Opened(group.last_good_id))

    @on(Table.Moved, "#kinds")
    def show_another(self, message: Table.Moved) -> None:
        """The cursor went to another kind."""
        message.stop()
        self._draw()
        self.read()

    @on(Table.Chosen, "#kinds")
    def open_newest(self, message: Table.Chosen) -> None:
        """Show the newest letter of the kind."""
        message.stop()
        if (group := self._groups.selected) is not None:
            self.post_message(Opened(group.newest_id))

    @on(Table.Chosen, "#letters")
    def open_letter(self, message: Table.Chosen) -> None:
        """Show one whole."""
        message.stop()
        self.post_message(Opened(message.key))

    async def _read(self) -> None:
        group = self._groups.selected
        known = await self._read_letters(*("", "") if group is None else (group.model, group.fingerprint))
        if known is None:
            self._is_away = True
        else:
            self._known, self._is_away, self._of = known, False, "" if group is None else key_of(group)
        self._draw()
        chosen = self._groups.selected
        if known is not None and chosen is not None and key_of(chosen) != self._of:
            self.call_later(self.read)  # the letters of the kind that is under the cursor now

    def _draw(self) -> None:
        if self._view is None:
            return
        known = self._known
        groups = [] if known is None else known.letters.groups
        self._groups.now_ms = self._view.now_ms
        notes = (
            [f"Dead letters · {formats.count(sum(group.count for group in groups))}"] if groups else ["Dead letters"]
        )
        if known is not None and known.source is SourceName.REDIS:
            notes.append("from Redis")
        if self._is_away and known is not None:
            notes.append("as they were: nobody answers")
        if self._view.past_s is not None:
            notes.append("as they are now, not then")
        entitle(self._groups, " · ".join(notes))
        self._groups.show(groups, empty=[[(self._hint, palette.PLAIN)]], version=(known, self._view.now_ms // 1000))
        self._draw_letters(self._groups.selected)

    def _draw_letters(self, group: DeadLetterGroup | None) -> None:
        is_of = group is not None and self._known is not None and self._of == key_of(group)
        letters = self._known.letters.letters if is_of and self._known is not None else []
        title = "Letters"
        if group is not None:
            title = f"Letters of {group.model}"
            if versions := versions_of(letters):
                title += f" · version{'s' if len(versions) > 1 else ''} {', '.join(versions)}"
            if len(letters) < group.count and letters:
                title += f" · the newest {len(letters)}"
        entitle(self._letters, title)
        self._letters.show(letters, empty=[[("Reading…" if group is not None else "", palette.DIM)]], version=letters)

    @property
    def _hint(self) -> str:
        if self._known is not None:
            return "● Nothing failed for good."
        return "Nobody can be asked for dead letters." if self._is_away else "Reading…"
