"""What opens over the dashboard: a box of lines, such as the help."""

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.screen import ModalScreen
from textual.scroll_view import ScrollView
from textual.strip import Strip

from zypher_tui.core.cleaning import clean
from zypher_tui.keymap import Keyed
from zypher_tui.widgets.drawing import Grounded, Part, line

MOST_TYPED = 40


class Lines(ScrollView, Grounded, can_focus=True):  # pyright: ignore[reportIncompatibleMethodOverride]  # Textual's own
    """Any number of lines made of parts; scrolls with the arrows."""

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self._lines: list[list[Part]] = []

    def show(self, lines: list[list[Part]]) -> None:
        """Replace all lines; the place stays."""
        if lines != self._lines:
            self._lines = lines
            self.virtual_size = Size(self.size.width, len(lines))
            self.refresh(layout=True)

    def render_line(self, y: int) -> Strip:
        """A line from the scroll position on."""
        index = self.scroll_offset.y + y
        parts = self._lines[index] if index < len(self._lines) else []
        return self.on_ground(line(parts, self.size.width))


class TypedLines(Lines):
    """Lines under what a person types; no letter is a key."""

    class Typed(Message):
        """Another text stands there."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    typed = ""

    def type(self, text: str) -> None:
        """Have this text instead."""
        self.typed = clean(text)[:MOST_TYPED]
        self.post_message(self.Typed(self.typed))

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Whatever can be read is text."""
        del key
        return character is not None and character.isprintable()

    def on_key(self, event: events.Key) -> None:
        """A letter more, or one less."""
        if event.key == "backspace":
            self.type(self.typed[:-1])
        elif event.character is not None and event.character.isprintable():
            self.type(self.typed + event.character)

    def on_paste(self, event: events.Paste) -> None:
        """Many letters more."""
        self.type(self.typed + event.text)


class Dialog(Keyed, ModalScreen[None]):
    """A framed box of lines over the dashboard; Esc, q or Enter closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss", "Close"),
        Binding("ctrl+c", "app.quit", show=False, priority=True, system=True),
    ]

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title

    @property
    def box(self) -> Lines:
        """What is framed."""
        return self.query_one("#box", Lines)

    def compose(self) -> ComposeResult:
        """The box, to be filled once its width is known."""
        box = Lines(id="box")
        box.border_title = self._title
        box.border_subtitle = "esc closes · ↑ ↓ scroll"
        yield box

    def on_click(self, event: events.Click) -> None:
        """A click beside the box closes it."""
        if event.widget is self:
            self.dismiss()

    def on_resize(self) -> None:
        """Break the lines anew."""
        self.call_after_refresh(self.fill)

    def fill(self) -> None:
        """Put the lines into the box."""
        raise NotImplementedError
