"""Asks before something is done to a model: says what would come of it, and why it was refused."""

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

import msgspec
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.screen import ModalScreen
from textual.widgets import Input

from zypher_tui.core import cells
from zypher_tui.core.cleaning import clean
from zypher_tui.core.traffic import Said
from zypher_tui.keymap import Help, Keyed
from zypher_tui.palette import palette
from zypher_tui.sources.source import Refused, SourceAway
from zypher_tui.widgets.dialogs import Lines
from zypher_tui.widgets.drawing import Part, entitle


class Question(msgspec.Struct, frozen=True):
    """What is asked: the lines below it, and whether it can be done as it stands."""

    lines: Sequence[Said]
    is_possible: bool


class AskScreen(Keyed, ModalScreen[bool]):
    """Lies over the dashboard; is left with whether it was done."""

    ABOUT = Help("A question", "What would come of it. Nothing is done before enter, and nothing at all with escape.")
    PLACE = "a question"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "do", "Do it", priority=True),
        Binding("escape", "leave", "Leave it", priority=True),
        Binding("ctrl+c", "app.quit", show=False, priority=True, system=True),
    ]

    def __init__(
        self,
        title: str,
        *,
        typed: str | None,
        ask: Callable[[str], Question],
        do: Callable[[str], Awaitable[None]],
    ) -> None:
        """``typed`` is what stands in the line first; ``None``: there is nothing to type. ``do`` raises ``Refused``."""
        super().__init__()
        self._title = title
        self._ask = ask
        self._do = do
        self._input = None if typed is None else Input(typed, id="ask-typed", select_on_focus=False)
        self._lines = Lines(id="ask-lines")
        self._question = ask(typed or "")
        self._outcome: list[Said] = []
        self._is_doing = False

    def compose(self) -> ComposeResult:
        """The line to type in, if there is one, and what would come of it."""
        with Container(id="ask-box") as box:
            entitle(box, self._title)
            entitle(box, "enter does it · esc leaves it", below=True)
            if self._input is not None:
                yield self._input
            yield self._lines

    def on_mount(self) -> None:
        """Show it."""
        (self._input or self._lines).focus()
        self.call_after_refresh(self._show)

    def on_resize(self) -> None:
        """Break the lines anew."""
        self.call_after_refresh(self._show)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say what would come of that."""
        event.stop()
        self._question, self._outcome = self._ask(clean(event.value)), []
        self._show()

    def action_leave(self) -> None:
        """Do nothing; what is under way is not stopped by it."""
        self.dismiss(False)

    def action_do(self) -> None:
        """Do it, if it can be done."""
        if self._question.is_possible and not self._is_doing:
            self._is_doing = True
            self._outcome = [Said("◐ waiting until every process has followed…")]
            self._show()
            self.run_worker(self._do_it, exit_on_error=False)

    async def _do_it(self) -> None:
        try:
            await self._do(clean(self._input.value) if self._input is not None else "")
        except Refused as error:
            self._outcome = [Said(f"It was refused, and nothing has changed: {error}.", is_warning=True)]
        except SourceAway as error:
            why = f"The API gave no answer ({error}): look whether it was done before you try again."
            self._outcome = [Said(why, is_warning=True)]
        else:
            self.dismiss(True)
            return
        finally:
            self._is_doing = False
        self._show()

    def _show(self) -> None:
        width = max(self._lines.size.width - 2, 10)
        lines: list[list[Part]] = []
        for said in (*self._question.lines, *self._outcome):
            style = palette.WARNING if said.is_warning else palette.PLAIN
            mark = "▲ " if said.is_warning else "  "
            texts = cells.wrap(said.text, max(width - 2, 8))
            lines += [[(mark if at == 0 else "  ", style), (text, style)] for at, text in enumerate(texts)]
        self._lines.show(lines)
