"""A framed part of a screen that scrolls as a whole: lines that are made for the width there is."""

from collections.abc import Callable, Hashable

from rich.style import Style
from textual.geometry import Size
from textual.strip import Strip

from zypher_tui.core import cells
from zypher_tui.palette import palette
from zypher_tui.themes import Theme
from zypher_tui.widgets.drawing import LineWidget, Part, entitle, line

Lines = list[list[Part]]
Draw = Callable[[int], Lines]
"""From a width in cells to lines that fit it."""


class Section(LineWidget):
    """As high as its lines; not there while it has none."""

    DEFAULT_CSS = "Section { height: auto; }"

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self._draw: Draw = lambda _: []
        self._version: Hashable = None
        self._made: tuple[Hashable, int, Theme] | None = None
        self._lines: Lines = []
        self.display = False

    def show(self, title: str, draw: Draw | None, *, version: Hashable) -> None:
        """Show what ``draw`` makes, made anew for another ``version`` or width; ``None``: there is nothing."""
        self.display = draw is not None
        entitle(self, title)
        if draw is None or version == self._version:
            return
        before = len(self._lines)
        self._draw, self._version = draw, version
        self.refresh(layout=len(self._fresh(self.size.width)) != before)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002  # Textual's
        """One for each line."""
        return len(self._fresh(width))

    def line_at(self, y: int) -> Strip:
        """A line of it."""
        width = self.size.width
        lines = self._fresh(width)
        return line(lines[y] if y < len(lines) else [], width)

    def _fresh(self, width: int) -> Lines:
        making = (self._version, width, palette.theme)
        if self._made != making and width > 0:
            self._made = making
            self._lines = self._draw(width)
        return self._lines


def wrapped(texts: list[str], width: int, style: Style) -> Lines:
    """Each text in as many lines as it needs, a cell away from both edges."""
    return [[(f" {part}", style)] for text in texts for part in cells.wrap(text, max(width - 2, 8))]
