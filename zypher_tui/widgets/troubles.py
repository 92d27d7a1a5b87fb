"""What keeps figures away and the ways out of it: instead of the panes while there is nothing to show, and in a box."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.style import Style
from textual.binding import Binding, BindingType

from zypher_tui.core import cells, formats
from zypher_tui.core.troubles import Trouble
from zypher_tui.core.view import Link
from zypher_tui.keymap import Help, keymap
from zypher_tui.palette import palette
from zypher_tui.screens.pane import Copied
from zypher_tui.widgets.dialogs import Dialog, Lines
from zypher_tui.widgets.drawing import Part, entitle

TITLE = "Nothing to show yet"
AGAIN = "Asked again all the time: figures appear by themselves as soon as one answers."
WELL = "The API and Redis are up."


def command_of(troubles: Sequence[Trouble]) -> str | None:
    """The first command that leads out of it: what is copied."""
    return next((way.command for each in troubles for way in each.ways if way.command), None)


def lines_of(troubles: Sequence[Trouble], width: int) -> list[list[Part]]:
    """Each with its ways out, one below the other."""
    lines: list[list[Part]] = []
    hinted = next((each for each in troubles if command_of([each])), None)
    for each in troubles:
        lines += [*_lines_of(each, width, command_of([each]) if each is hinted else None), []]
    if not troubles:
        glyph, style = palette.LINK[Link.UP]
        return [[(f" {glyph} ", style), (WELL, palette.PLAIN)]]
    return [*lines, *_wrapped(AGAIN, width, palette.DIM)]


def _lines_of(trouble: Trouble, width: int, copied: str | None) -> list[list[Part]]:
    glyph, style = palette.LINK[trouble.link]
    lasting = f" for {formats.age_s(trouble.since_s)}" if trouble.since_s and trouble.since_s >= 1 else ""
    head = f"{trouble.source.label} {trouble.link.value}{lasting}"
    room = max(width - cells.width(head) - 6, 0)
    lines: list[list[Part]] = [
        [(f" {glyph} ", style), (head, palette.STRONG), (f"   {cells.cut(trouble.address, room)}", palette.DIM)],
        *_wrapped(trouble.says, width),
    ]
    for way in trouble.ways:
        lines += _wrapped(way.says, width)
        for text in cells.wrap(way.command, max(width - 8, 10)) if way.command else ():
            lines.append([("      ", palette.PLAIN), (text, palette.BRAND)])
        if way.command == copied:
            hint = f"   {keymap.shown('c')} copies it"
            if cells.width(lines[-1][-1][0]) + len(hint) + 8 <= width:
                lines[-1].append((hint, palette.DIM))
    return lines


def _wrapped(text: str, width: int, style: Style | None = None) -> list[list[Part]]:
    return [[("   ", palette.PLAIN), (line, style or palette.PLAIN)] for line in cells.wrap(text, max(width - 4, 10))]


class TroublePanel(Lines):
    """What is seen as long as nobody ever brought figures."""

    ABOUT = Help(TITLE, "No figures came yet. What is wrong with each source, since when, and what leads out of it.")

    troubles: Sequence[Trouble] = ()

    def show_troubles(self, troubles: Sequence[Trouble]) -> None:
        """Draw them."""
        self.troubles = troubles
        entitle(self, TITLE)
        self.on_resize()

    def on_resize(self) -> None:
        """Break the lines anew."""
        self.show(lines_of(self.troubles, self.size.width or self.screen.size.width - 2))


class TroubleDialog(Dialog):
    """The same over the panes, for as long as it is open."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("c", "copy_way", "Copy the command")]

    def __init__(self, troubles: Callable[[], Sequence[Trouble]]) -> None:
        super().__init__("What is wrong")
        self._troubles = troubles

    def on_mount(self) -> None:
        """Its ages go on."""
        self.set_interval(1, self.fill)

    def fill(self) -> None:
        """Put the lines into the box."""
        self.box.show(lines_of(self._troubles(), max(self.box.scrollable_content_region.width, 20)))

    def action_copy_way(self) -> None:
        """Put the first command on the clipboard."""
        if command := command_of(self._troubles()):
            self.post_message(Copied(command, "the command"))
