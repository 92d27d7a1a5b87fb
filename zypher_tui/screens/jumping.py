"""Jump mode: a letter stands on each part of the screen and on each row that is seen; the next key leads there."""

from collections.abc import Callable, Iterator
from string import ascii_lowercase
from typing import Any, ClassVar, cast

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Offset
from textual.screen import ModalScreen, Screen
from textual.strip import Strip
from textual.widget import Widget

from zypher_tui.keymap import Help, Keyed
from zypher_tui.palette import palette
from zypher_tui.widgets.drawing import LineWidget, line
from zypher_tui.widgets.table import Table

LETTERS = ascii_lowercase + ascii_lowercase.upper()
"""As many places can be jumped to."""

Leap = tuple[Offset, Callable[[], None]]
"""Where its letter stands on the screen, and what leads there."""


class JumpScreen(Keyed, ModalScreen[Callable[[], None] | None]):
    """Lies over what it leads to; is left with what goes there, or with nothing."""

    ABOUT = Help("Jump", "Press the letter that stands on a part of the screen, or on a row; escape leaves it.")
    PLACE = "jump mode"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "Leave")]

    def __init__(self, below: Screen[Any]) -> None:
        super().__init__()
        self._leaps = dict(zip(LETTERS, leaps(below), strict=False))

    def compose(self) -> ComposeResult:
        """A letter on each."""
        for letter, (place, _) in self._leaps.items():
            label = _Letter(letter)
            label.styles.offset = place
            yield label

    def on_key(self, event: events.Key) -> None:
        """Go where that letter leads; any other key leaves."""
        event.stop()
        event.prevent_default()
        leap = self._leaps.get(event.character or "")
        self.dismiss(None if leap is None else leap[1])


class _Letter(LineWidget):
    """One of them."""

    def __init__(self, letter: str) -> None:
        super().__init__(id=f"jump-{ord(letter)}")
        self._letter = letter

    def line_at(self, y: int) -> Strip:  # noqa: ARG002  # there is only one
        """It, as what a key is."""
        return line([(f"{self._letter} ", palette.TAB_OPEN_KEY)], 2)


def leaps(screen: Screen[Any]) -> Iterator[Leap]:
    """The parts that keys can go to, then the rows of the table that has them."""
    parts = [each for each in screen.focus_chain if each.region and each.region.width > 2]
    for part in parts:
        yield Offset(part.region.x + 1, part.region.y), _focus(part)
    focused = screen.focused
    if isinstance(focused, Table):
        table = cast("Table[Any]", focused)
        content = table.content_region
        for index in table.shown:
            yield Offset(content.x - 1, content.y + 1 + index - table.shown.start), _to_row(table, index)


def _focus(part: Widget) -> Callable[[], None]:
    def go() -> None:
        part.focus()

    return go


def _to_row(table: Table[Any], index: int) -> Callable[[], None]:
    def go() -> None:
        table.move_to(index)
        table.action_choose()

    return go
