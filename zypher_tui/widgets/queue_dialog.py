"""Which queue workers take from: a letter pauses or resumes one. And what was done last."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from zypher_jobs.contracts.prediction import Priority
from zypher_jobs.contracts.stats import QueueStats
from zypher_tui.core import cells, formats
from zypher_tui.core.deeds import Noted
from zypher_tui.palette import palette
from zypher_tui.widgets.dialogs import Dialog
from zypher_tui.widgets.drawing import Part, entitle


class QueueDialog(Dialog, inherit_bindings=False):
    """Each queue as it stands; the letter of one pauses it, or resumes it."""

    PLACE = "pausing a queue"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("h", "turn('high')", "High: pause or resume"),
        Binding("n", "turn('normal')", "Normal: pause or resume"),
        Binding("l", "turn('low')", "Low: pause or resume"),
        Binding("escape,q,enter", "dismiss", "Close"),
        Binding("ctrl+c", "app.quit", show=False, priority=True, system=True),
    ]

    def __init__(self, queues: Sequence[QueueStats], toggle: Callable[[str, bool], None]) -> None:
        """``toggle`` is called with a queue, and whether it is to be paused."""
        super().__init__("Queues")
        self._queues = {queue.name: queue for queue in queues}
        self._toggle = toggle

    def action_turn(self, name: str) -> None:
        """Pause it, or resume it."""
        queue = self._queues.get(name)
        self.dismiss()
        self._toggle(name, queue is None or not queue.paused)

    def fill(self) -> None:
        """A line for each."""
        entitle(self.box, "Pause or resume a queue")
        entitle(self.box, "enter and esc leave all as it is", below=True)
        lines: list[list[Part]] = [[]]
        for priority in Priority:
            queue = self._queues.get(priority)
            is_paused = queue is not None and queue.paused
            state: Part = ("■ paused ", palette.WARNING) if is_paused else ("● open   ", palette.PLAIN)
            waiting = "" if queue is None else f"{formats.count(queue.depth)} waiting"
            does = f"{priority.value[0]} {'resumes' if is_paused else 'pauses'} it"
            lines.append(
                [
                    (f" {priority.value:<8}", palette.STRONG),
                    state,
                    (f"{waiting:<16}", palette.DIM),
                    (does, palette.BRAND),
                ]
            )
        lines += [[], [(" While a queue is paused what is submitted waits, and what runs ends.", palette.DIM)], []]
        self.box.show(lines)


class DoneDialog(Dialog):
    """What was done from here, the newest first."""

    def __init__(self, notes: Sequence[Noted]) -> None:
        super().__init__("Last actions")
        self._notes = notes

    def fill(self) -> None:
        """When, how it went, and the sentence."""
        width = max(self.box.scrollable_content_region.width - 14, 20)
        lines: list[list[Part]] = [[]]
        if not self._notes:
            lines.append([(" Nothing was done from here yet.", palette.DIM)])
        for noted in reversed(self._notes):
            mark: Part = ("● ", palette.BRAND) if noted.is_well else ("✗ ", palette.ERROR)
            for number, text in enumerate(cells.wrap(noted.sentence, width)):
                at: Part = (f" {formats.clock(noted.at)} " if number == 0 else " " * 10, palette.DIM)
                lines.append([at, mark if number == 0 else ("  ", palette.PLAIN), (text, palette.PLAIN)])
        self.box.show([*lines, []])
