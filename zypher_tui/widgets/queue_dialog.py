"""Which queue workers take from: a letter pauses or resumes one, its capital purges it."""

from collections.abc import Callable, Sequence
from typing import ClassVar, Protocol

from textual.binding import Binding, BindingType

from zypher_jobs.contracts.prediction import Priority
from zypher_jobs.contracts.stats import QueueStats
from zypher_tui.core import cells, formats
from zypher_tui.palette import palette
from zypher_tui.widgets.dialogs import Dialog
from zypher_tui.widgets.drawing import Part, entitle

PAUSED = "While a queue is paused what is submitted waits, and what runs ends."
PURGED = "To purge it is to cancel all that waits there; the server counts it first, and what runs goes on."


class Turn(Protocol):
    """Pauses a queue, or resumes it."""

    def __call__(self, queue: str, *, pauses: bool) -> None: ...


class QueueDialog(Dialog, inherit_bindings=False):
    """Each queue as it stands; the letter of one pauses it, or resumes it; its capital purges it."""

    PLACE = "pausing a queue"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("h", "turn('high')", "High: pause or resume"),
        Binding("n", "turn('normal')", "Normal: pause or resume"),
        Binding("l", "turn('low')", "Low: pause or resume"),
        Binding("H", "purge('high')", "High: purge"),
        Binding("N", "purge('normal')", "Normal: purge"),
        Binding("L", "purge('low')", "Low: purge"),
        Binding("escape,q,enter", "dismiss", "Close"),
        Binding("ctrl+c", "app.quit", show=False, priority=True, system=True),
    ]

    def __init__(self, queues: Sequence[QueueStats], *, turn: Turn, purge: Callable[[str], None]) -> None:
        """``purge`` asks before it cancels all that waits in a queue."""
        super().__init__("Queues")
        self._queues = {queue.name: queue for queue in queues}
        self._turn = turn
        self._purge = purge

    def action_turn(self, name: str) -> None:
        """Pause it, or resume it."""
        queue = self._queues.get(name)
        self.dismiss()
        self._turn(name, pauses=queue is None or not queue.paused)

    def action_purge(self, name: str) -> None:
        """Ask whether all that waits there is to be canceled."""
        self.dismiss()
        self._purge(name)

    def fill(self) -> None:
        """A line for each."""
        entitle(self.box, "Pause, resume or purge a queue")
        entitle(self.box, "enter and esc leave all as it is", below=True)
        lines: list[list[Part]] = [[]]
        for priority in Priority:
            queue = self._queues.get(priority)
            is_paused = queue is not None and queue.paused
            state: Part = ("■ paused ", palette.WARNING) if is_paused else ("● open   ", palette.PLAIN)
            waiting = "" if queue is None else f"{formats.count(queue.depth)} waiting"
            letter = priority.value[0]
            does = f"{letter} {'resumes' if is_paused else 'pauses'} it"
            lines.append(
                [
                    (f" {priority.value:<8}", palette.STRONG),
                    state,
                    (f"{waiting:<16}", palette.DIM),
                    (f"{does:<14}", palette.BRAND),
                    (f"{letter.upper()} purges it", palette.BRAND),
                ]
            )
        width = max(self.box.scrollable_content_region.width - 2, 20)
        for sentence in (PAUSED, PURGED):
            lines += [[], *[[(f" {text}", palette.DIM)] for text in cells.wrap(sentence, width)]]
        self.box.show([*lines, []])
