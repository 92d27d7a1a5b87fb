"""What is being done from here, and what was done: each as a sentence."""

from collections.abc import Callable, Collection, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from zypher_tui.core import cells, formats
from zypher_tui.core.deeds import Noted
from zypher_tui.keymap import keymap
from zypher_tui.palette import palette
from zypher_tui.widgets.dialogs import Dialog
from zypher_tui.widgets.drawing import Part, entitle

DRAW_EVERY_S = 0.5


class DoneDialog(Dialog):
    """What is being done from here, and what was done, the newest first."""

    PLACE = "the last actions"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("s", "stop", "Stop what is under way")]

    def __init__(
        self, notes: Collection[Noted], running: Callable[[], Sequence[str]], stop: Callable[[], None]
    ) -> None:
        super().__init__("Last actions")
        self._notes = notes
        self._under_way = running
        self._stop = stop

    def on_mount(self) -> None:
        """It goes on while somebody looks."""
        self.set_interval(DRAW_EVERY_S, self.fill)

    def action_stop(self) -> None:
        """Each after its step."""
        self._stop()
        self.fill()

    def fill(self) -> None:
        """When, how it went, and the sentence."""
        width = max(self.box.scrollable_content_region.width - 14, 20)
        running = self._under_way()
        stops = f"{keymap.shown('s', DoneDialog)} stops what is under way · " if running else ""
        entitle(self.box, f"{stops}esc closes · ↑ ↓ scroll", below=True)
        lines: list[list[Part]] = [[]]
        for sentence in running:
            for number, text in enumerate(cells.wrap(sentence, width)):
                mark: Part = (f"{' now':<10}◐ " if number == 0 else " " * 12, palette.WARNING)
                lines.append([mark, (text, palette.PLAIN)])
        if not self._notes and not running:
            lines.append([(" Nothing was done from here yet.", palette.DIM)])
        for noted in reversed([*self._notes]):
            mark = ("● ", palette.BRAND) if noted.is_well else ("✗ ", palette.ERROR)
            for number, text in enumerate(cells.wrap(noted.sentence, width)):
                at: Part = (f" {formats.clock(noted.at)} " if number == 0 else " " * 10, palette.DIM)
                lines.append([at, mark if number == 0 else ("  ", palette.PLAIN), (text, palette.PLAIN)])
        self.box.show([*lines, []])
