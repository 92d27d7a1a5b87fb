"""Lines put together from styled parts."""

from collections.abc import Iterable, Sequence

from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from zypher_tui.core import cells
from zypher_tui.keymap import Keyed
from zypher_tui.palette import palette

Part = tuple[str, Style]
"""Clean text and how it looks."""


def line(parts: Iterable[Part], width: int) -> Strip:
    """The parts in a row, in exactly ``width`` cells."""
    segments = [Segment(text, style) for text, style in parts if text]
    return Strip(segments, sum(cells.width(segment.text) for segment in segments)).adjust_cell_length(width)


def length(parts: Iterable[Part]) -> int:
    """Cells the parts take."""
    return sum(cells.width(text) for text, _ in parts)


def entitle(widget: Widget, title: str, *, below: bool = False) -> None:
    """Write on its frame: never read as markup, as Textual would, and drawn anew only when it is something else."""
    place = "border_subtitle" if below else "border_title"
    content = Content(title)
    if getattr(widget, f"_{place}", None) != content:
        setattr(widget, place, content)


class Grounded(Widget):
    """A widget that draws lines on its background: the line API leaves that to it."""

    _ground = Style.null()

    def render_lines(self, crop: Region) -> list[Strip]:
        """What lies behind it is the same for all lines of a frame, and takes as long to find as half a line."""
        self._ground = self.rich_style
        return super().render_lines(crop)

    def on_ground(self, strip: Strip) -> Strip:
        """The line on the background."""
        return strip.apply_style(self._ground)


class LineWidget(Keyed, Grounded):
    """A widget that draws itself line by line."""

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)

    def line_at(self, y: int) -> Strip:
        """The line, on no background of its own."""
        raise NotImplementedError

    def render_line(self, y: int) -> Strip:
        """The line on the widget's background."""
        return self.on_ground(self.line_at(y))


class DrawnWhole(LineWidget):
    """A widget that draws all its lines at once, and only when something of it is another."""

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self._drawn_of: object = None
        self._strips: Sequence[Strip] = ()

    def state(self) -> object:
        """What the lines are made of, beside the size and the theme."""
        raise NotImplementedError

    def draw_lines(self, width: int, height: int) -> Sequence[Strip]:
        """Make them."""
        raise NotImplementedError

    def line_at(self, y: int) -> Strip:
        """One of them."""
        width, height = self.size
        drawn_of = (self.state(), width, height, palette.theme.name)
        if drawn_of != self._drawn_of:
            self._drawn_of = drawn_of
            self._strips = self.draw_lines(width, height)
        return self._strips[y] if y < len(self._strips) else Strip.blank(width)
