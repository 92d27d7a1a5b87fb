"""Which columns the list of predictions has, and in which order; the list behind the box shows it at once."""

from collections.abc import Callable, Collection, Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from zypher_tui.core import cells
from zypher_tui.core.choosing import COLUMNS, Choosing
from zypher_tui.keymap import keymap
from zypher_tui.palette import palette
from zypher_tui.widgets.dialogs import Dialog, Lines
from zypher_tui.widgets.drawing import Part, entitle

NAME_CELLS = 12
STATE_CELLS = 8


class ColumnLines(Lines):
    """A line for each; a click switches one, dragging carries it."""

    ALLOW_SELECT = False

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self.can_focus = False  # the keys are those of the dialog
        self._held: int | None = None
        """The line that the mouse has hold of."""
        self._is_carried = False

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Take hold of a line."""
        self._held, self._is_carried = self._line_at(event), False
        if self._held is not None:
            self.capture_mouse()
            self._dialog.point_at(self._held)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Carry it."""
        at = event.y + self.scroll_offset.y - self.gutter.top
        if self._held is not None and at != self._held:
            self._is_carried = True
            self._dialog.action_carry(at - self._held)
            self._held = self._dialog.cursor

    def on_mouse_up(self) -> None:
        """Let go; one that was not carried is switched."""
        self.release_mouse()
        held, self._held = self._held, None
        if held is not None and not self._is_carried:
            self._dialog.action_switch()

    def _line_at(self, event: events.MouseEvent) -> int | None:
        offset = event.get_content_offset(self)
        if offset is None or offset.y + self.scroll_offset.y >= len(COLUMNS):
            return None
        return offset.y + self.scroll_offset.y

    @property
    def _dialog(self) -> "ColumnDialog":
        dialog = self.screen
        assert isinstance(dialog, ColumnDialog)
        return dialog


class ColumnDialog(Dialog, inherit_bindings=False):
    """All columns; those that are shown first. Enter keeps what was chosen, escape leaves all as it was."""

    PLACE = "choosing columns"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "switch", "Show or hide the column"),
        Binding("K,shift+up", "carry(-1)", "Carry the column up"),
        Binding("J,shift+down", "carry(1)", "Carry the column down"),
        Binding("d", "begin_anew", "The usual columns"),
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("home,g", "move(-1000)", "First", show=False),
        Binding("end,G", "move(1000)", "Last", show=False),
        Binding("enter", "keep", "Keep the columns"),
        Binding("escape,q", "leave", "Leave the columns as they were"),
        Binding("ctrl+c", "app.quit", show=False, priority=True, system=True),
    ]

    def __init__(
        self,
        shown: Sequence[str],
        *,
        show: Callable[[Sequence[str]], Collection[str]],
        keep: Callable[[Sequence[str]], None],
    ) -> None:
        """``show`` has the list show these and says which there is room for; ``keep`` is called at the end."""
        super().__init__("Columns")
        self._before = tuple(shown)
        self._choosing = Choosing(shown)
        self._show = show
        self._keep = keep
        self._fitting: Collection[str] = ()
        self._hint = ""

    def compose(self) -> ComposeResult:
        """The box, which leaves the keys to the dialog."""
        yield ColumnLines(id="box")

    @property
    def cursor(self) -> int:
        """The line under the cursor."""
        return self._choosing.cursor

    def point_at(self, index: int) -> None:
        """Put the cursor on that line."""
        self.action_move(index - self.cursor)

    def action_move(self, lines: int) -> None:
        """Move the cursor."""
        self._choosing.move(lines)
        self._apply()

    def action_switch(self) -> None:
        """Show the one under the cursor, or do not."""
        self._apply("" if self._choosing.switch() else "One column stays.")

    def action_carry(self, lines: int) -> None:
        """Move the one under the cursor."""
        self._choosing.carry(lines)
        self._apply()

    def action_begin_anew(self) -> None:
        """Have the usual ones again."""
        self._choosing.begin_anew()
        self._apply()

    def action_keep(self) -> None:
        """They stay so, also the next time."""
        self.dismiss()
        if self._choosing.shown != self._before:
            self._keep(self._choosing.shown)

    def action_leave(self) -> None:
        """Have those that there were."""
        self._show(self._before)
        self.dismiss()

    def on_click(self, event: events.Click) -> None:
        """A click beside the box leaves all as it was."""
        event.prevent_default()  # every dialog's is to close it
        if event.widget is self:
            self.action_leave()

    def fill(self) -> None:
        """A line for each: whether it is shown, its name, and what it shows."""
        width = max(self.box.scrollable_content_region.width, 20)
        shown = self._choosing.shown
        self._fitting = self._show(shown)
        entitle(self.box, f"Columns · {len(shown)} shown")
        entitle(self.box, self._hint or _keys(), below=True)
        lines: list[list[Part]] = []
        for index, name in enumerate(self._choosing.order):
            parts = _line(name, is_shown=name in shown, has_room=name in self._fitting, width=width)
            is_here = index == self.cursor
            lines.append([(text, style + palette.CURSOR) for text, style in parts] if is_here else parts)
        self.box.show(lines)

    def _apply(self, hint: str = "") -> None:
        """Show what was chosen, with the cursor in sight."""
        self._hint = hint
        self.fill()
        height = max(self.box.scrollable_content_region.height, 1)
        top = min(max(self.box.scroll_offset.y, self.cursor - height + 1), self.cursor)
        self.box.scroll_to(y=top, animate=False)


def _keys() -> str:
    named = (("space", "shows"), ("K J", "move"), ("d", "usual"), ("enter", "keeps"), ("esc", "leaves"))
    return " · ".join(f"{keymap.shown(key, ColumnDialog)} {word}" for key, word in named)


def _line(name: str, *, is_shown: bool, has_room: bool, width: int) -> list[Part]:
    says = max(width - NAME_CELLS - STATE_CELLS - 4, 0)
    state: Part = ("", palette.DIM)
    if is_shown:
        state = ("shown", palette.PLAIN) if has_room else ("no room", palette.WARNING)
    return [
        (" ■ " if is_shown else " □ ", palette.BRAND if is_shown else palette.DIM),
        (cells.fit(name, NAME_CELLS), palette.STRONG if is_shown else palette.PLAIN),
        (cells.fit(COLUMNS[name], says), palette.DIM),
        (cells.fit(state[0], STATE_CELLS, "right") + " ", state[1]),
    ]
