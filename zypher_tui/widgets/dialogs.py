"""What opens over the dashboard: a box of lines, such as the help."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.scroll_view import ScrollView
from textual.strip import Strip

from zypher_tui.core import cells
from zypher_tui.keymap import Keyed
from zypher_tui.palette import palette
from zypher_tui.widgets.drawing import Part, line

NAME_CELLS = 12


class Lines(ScrollView, can_focus=True):
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
        return line(parts, self.size.width).apply_style(self.rich_style)


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

    def on_resize(self) -> None:
        """Break the lines anew."""
        self.call_after_refresh(self.fill)

    def fill(self) -> None:
        """Put the lines into the box."""
        raise NotImplementedError


class HelpDialog(Dialog):
    """Keys, and what the words and glyphs mean."""

    def __init__(self) -> None:
        super().__init__("Help")

    def fill(self) -> None:
        """Put the help into the box."""
        width = max(self.box.scrollable_content_region.width - NAME_CELLS - 3, 10)
        lines: list[list[Part]] = [[]]
        for name, text in _HELP:
            lines += _entry(name, text, width)
        lines += [[], *(_legend(name, parts) for name, parts in _legends())]
        self.box.show(lines)


_HELP = (
    ("↑ ↓  k j", "Move in a table; PgUp, PgDn, Home and End too"),
    ("tab", "To the next table"),
    ("enter", "Open the prediction under the cursor"),
    ("/", 'Show some only: status:failed model:fraud* age<1h "some text"'),
    ("1 … 6", "The screens; also by a click on a tab"),
    ("p", "Stop at this time, and back to now; [ ] and { } step in time"),
    ("t  w", "Span of the charts; latency of the total time, run or wait"),
    ("c", "Copy the id of the prediction, or the example call while there is none"),
    ("q", "Quit"),
    ("waiting", "Predictions in the queue, not yet claimed by a worker"),
    ("per s", "Predictions that ended per second, over the last 5 s"),
    ("failed", "Share of those that ended, over the last minute"),
    ("wait", "From created to started, of asynchronous predictions"),
    ("run", "From started to finished, of all"),
    ("p50 · p95", "Half of them, and 95 of 100, took at most this"),
)


def _legends() -> list[tuple[str, list[Part]]]:
    statuses = [(f"{glyph} {status.value}  ", style) for status, (glyph, style) in palette.STATUS.items()]
    links = [(f"{glyph} {link.value}  ", style) for link, (glyph, style) in palette.LINK.items()]
    return [("predictions", statuses[:3]), ("", statuses[3:]), ("parts", links)]


def _legend(name: str, parts: list[Part]) -> list[Part]:
    return [(f" {name:<{NAME_CELLS}} ", palette.DIM), *parts]


def _entry(name: str, text: str, width: int) -> list[list[Part]]:
    texts = cells.wrap(text, width)
    names = [name] + [""] * (len(texts) - 1)
    return [
        [(f" {name:<{NAME_CELLS}} ", palette.DIM), (text, palette.PLAIN)]
        for name, text in zip(names, texts, strict=True)
    ]
