"""The command palette: everything that can be done here, found by a few of its letters."""

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

import msgspec
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.fuzzy import FuzzySearch

from zypher_tui.core import cells
from zypher_tui.palette import palette
from zypher_tui.widgets.dialogs import Dialog, TypedLines
from zypher_tui.widgets.drawing import Part, entitle

KEY_CELLS = 10


class Command(msgspec.Struct, frozen=True):
    """Something that can be done."""

    says: str
    run: Callable[[], Awaitable[object] | object]
    place: str = ""
    key: str = ""
    also: str = ""
    """Other words under which it is looked for."""


class CommandLines(TypedLines):
    """The commands that were found, with a cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "screen.move(-1)", show=False),
        Binding("down", "screen.move(1)", show=False),
        Binding("pageup", "screen.move(-10)", show=False),
        Binding("pagedown", "screen.move(10)", show=False),
        Binding("enter", "screen.choose", show=False),
    ]

    def on_click(self, event: events.Click) -> None:
        """A click does it."""
        offset = event.get_content_offset(self)
        screen = self.screen
        if offset is not None and isinstance(screen, CommandDialog):
            event.stop()
            screen.choose(offset.y + self.scroll_offset.y)


class CommandDialog(Dialog):
    """Finds commands by what is typed, and says which was chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "Leave the commands", show=False)]

    def __init__(self, commands: Sequence[Command], chosen: Callable[[Command], None]) -> None:
        super().__init__("Commands")
        self._commands = commands
        self._found = commands
        self._chosen = chosen
        self._search = FuzzySearch()
        self._cursor = 0

    def compose(self) -> ComposeResult:
        """One box of commands."""
        yield CommandLines(id="box")

    @on(CommandLines.Typed)
    def find(self, message: CommandLines.Typed) -> None:
        """The best matches first; without a text all, in their order."""
        scored = [(self._search.match(message.text, _text(each))[0], each) for each in self._commands]
        self._found = [each for score, each in sorted(scored, key=lambda pair: -pair[0]) if score or not message.text]
        self._cursor = 0
        self.box.scroll_home(animate=False)
        self.fill()

    def action_move(self, lines: int) -> None:
        """Move the cursor; it stays in sight."""
        self._cursor = max(min(self._cursor + lines, len(self._found) - 1), 0)
        height = max(self.box.scrollable_content_region.height, 1)
        top = min(max(self.box.scroll_offset.y, self._cursor - height + 1), self._cursor)
        self.fill()
        self.box.scroll_to(y=top, animate=False)

    def action_choose(self) -> None:
        """Do what is under the cursor."""
        self.choose(self._cursor)

    def choose(self, index: int) -> None:
        """Close, and do the command of that line."""
        if 0 <= index < len(self._found):
            command = self._found[index]
            self.dismiss()
            self._chosen(command)

    def fill(self) -> None:
        """Put what was found into the box."""
        width = max(self.box.scrollable_content_region.width, 20)
        typed = self.query_one("#box", CommandLines).typed
        entitle(self.box, f"Commands · {typed}▏" if typed else "Commands · type to find")
        entitle(self.box, "↑ ↓ choose · ⏎ do it · esc closes", below=True)
        lines = [_line(each, width, chosen=index == self._cursor) for index, each in enumerate(self._found)]
        self.box.show(lines or [[(" No command has that.", palette.DIM)]])


def _text(command: Command) -> str:
    return f"{command.says} {command.place} {command.also}"


def _line(command: Command, width: int, *, chosen: bool) -> list[Part]:
    says = palette.STRONG if chosen else palette.PLAIN
    room = max(width - KEY_CELLS - 3, 8)
    text = cells.cut(command.says, room)
    rest = cells.fit(command.place, max(room - cells.width(text) - 2, 0), "right")
    rest = f"{' ' * min(room - cells.width(text), 2)}{rest} "
    parts: list[Part] = [
        (f" {cells.fit(command.key, KEY_CELLS)} ", palette.BRAND),
        (text, says),
        (rest, palette.DIM),
    ]
    return [(text, style + palette.CURSOR) for text, style in parts] if chosen else parts
