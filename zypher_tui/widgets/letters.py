"""Dead letters in two tables: the kinds of their errors, and the letters of one kind."""

from typing import ClassVar

from textual.binding import Binding, BindingType

from zypher_jobs.contracts.prediction import DeadLetter, DeadLetterGroup
from zypher_tui.core import cells, formats
from zypher_tui.core.deeds import Verb
from zypher_tui.core.letters import key_of
from zypher_tui.core.previews import compact
from zypher_tui.core.rows import ms_of
from zypher_tui.keymap import Help
from zypher_tui.palette import palette
from zypher_tui.screens.asked import Asked
from zypher_tui.widgets.columns import Column
from zypher_tui.widgets.drawing import Part
from zypher_tui.widgets.table import Table


class GroupTable(Table[DeadLetterGroup]):
    """One line for each kind of error, the most frequent first."""

    ABOUT = Help(
        "Kinds of errors",
        "Errors of one model with the same fingerprint: the same place in its code, whatever the input was.",
        (("last good", "How long ago a prediction of that model succeeded"),),
    )

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's name
        self.now_ms = 0
        super().__init__(id=id, columns=self._columns(), key=key_of)

    def _columns(self) -> list[Column[DeadLetterGroup]]:
        return [
            Column(
                title="count", width=6, right=True,
                draw=lambda group, _: [(formats.count(group.count), palette.STRONG)],
            ),
            Column(
                title="model", width=8, grow=2, most=20,
                draw=lambda group, width: [(cells.cut(group.model, width), palette.PLAIN)],
            ),
            Column(
                title="error", width=16, grow=6,
                draw=lambda group, width: [(cells.cut(f"✗ {group.error.message}", width), palette.ERROR)],
            ),
            Column(title="first", width=6, right=True, leave=3, draw=lambda group, _: self._ago(ms_of(group.first_at))),
            Column(title="last", width=6, right=True, draw=lambda group, _: self._ago(ms_of(group.last_at))),
            Column(
                title="last good", width=9, right=True, leave=1,
                draw=lambda group, _: self._ago(None if group.last_good_at is None else ms_of(group.last_good_at)),
            ),
            Column(
                title="fingerprint", width=12, leave=2,
                draw=lambda group, width: [(cells.cut(group.fingerprint, width), palette.DIM)],
            ),
        ]  # fmt: skip

    def _ago(self, at_ms: int | None) -> list[Part]:
        return [(formats.UNKNOWN if at_ms is None else formats.age_s((self.now_ms - at_ms) / 1000), palette.DIM)]


class LetterTable(Table[DeadLetter]):
    """The newest of one kind."""

    ABOUT = Help("Dead letters of one kind", "The newest first; enter opens one, with its traceback.")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "ask('replay')", "Replay"),
        Binding("D", "ask('drop')", "Drop"),
    ]

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id, columns=_LETTERS, key=lambda letter: letter.prediction_id)

    def action_ask(self, verb: str) -> None:
        """Have it done to the one under the cursor."""
        if self.selected is not None:
            self.post_message(Asked(Verb(verb), [self.selected.prediction_id]))


_LETTERS: list[Column[DeadLetter]] = [
    Column(title="ended", width=8, draw=lambda letter, _: [(formats.clock(letter.finished_at), palette.DIM)]),
    Column(
        title="id", width=8, grow=1, most=12,
        draw=lambda letter, width: [(letter.prediction_id[:width], palette.PLAIN)],
    ),
    Column(
        title="version", width=8, leave=2,
        draw=lambda letter, width: [(cells.cut(letter.version or formats.UNKNOWN, width), palette.PLAIN)],
    ),
    Column(title="tries", width=5, right=True, leave=3, draw=lambda letter, _: [(str(letter.attempts), palette.DIM)]),
    Column(
        title="worker", width=8, leave=1, grow=1, most=12,
        draw=lambda letter, width: [(cells.cut_start(letter.worker or formats.UNKNOWN, width), palette.DIM)],
    ),
    Column(
        title="input", width=10, grow=6,
        draw=lambda letter, width: [(cells.cut(compact(letter.input_preview), width), palette.DIM)],
    ),
    Column(
        title="error", width=12, grow=4,
        draw=lambda letter, width: [(cells.cut(letter.error.message, width), palette.ERROR)],
    ),
]  # fmt: skip
