"""The line of tabs: ``1 Overview  2 Predictions 12,345  …``; a click opens one."""

from collections.abc import Sequence

from textual import events
from textual.message import Message
from textual.strip import Strip

from zypher_tui.core import cells
from zypher_tui.palette import palette
from zypher_tui.widgets.drawing import LineWidget, Part, length, line


class TabLine(LineWidget):
    """One line; what does not fit loses its figures, from the left, then its titles."""

    class Opened(Message):
        """The tab of that number was clicked."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self._tabs: Sequence[tuple[str, str]] = ()
        self._open = 0
        self._ends: list[int] = []

    def show(self, tabs: Sequence[tuple[str, str]], opened: int) -> None:
        """Titles and figures, and which one is open."""
        if (tabs, opened) != (self._tabs, self._open):
            self._tabs, self._open = tabs, opened
            self.refresh()

    def line_at(self, y: int) -> Strip:  # noqa: ARG002  # there is only one
        """As much as fits."""
        width = self.size.width
        none = len(self._tabs)
        tries = [self._drawn(counts_from=first) for first in range(none + 1)]
        short = self._drawn(counts_from=none, short=True)
        drawn = next((each for each in tries if sum(map(length, each)) <= width), short)
        self._ends = []
        parts: list[Part] = []
        for tab in drawn:
            parts += tab
            self._ends.append(length(parts))
        return line(parts, width)

    def on_click(self, event: events.Click) -> None:
        """Open the tab that was clicked."""
        index = next((index for index, end in enumerate(self._ends) if event.x < end), None)
        if index is not None:
            self.post_message(self.Opened(index))

    def _drawn(self, *, counts_from: int, short: bool = False) -> list[list[Part]]:
        drawn: list[list[Part]] = []
        for index, (title, count) in enumerate(self._tabs):
            is_open = index == self._open
            key = palette.TAB_OPEN_KEY if is_open else palette.BRAND
            text = palette.TAB_OPEN if is_open else palette.DIM
            name = cells.cut(title, 4) if short and not is_open else title
            said = f"{name} {count}" if count and index >= counts_from else name
            drawn.append([(f" {index + 1} ", key), (f"{said} ", text)])
        return drawn
