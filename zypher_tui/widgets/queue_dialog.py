"""Which queue workers take from: a letter pauses or resumes one, its capital purges it. And what was done last."""

from collections.abc import Callable, Collection, Sequence
from typing import ClassVar, Protocol

from textual.binding import Binding, BindingType

from zypher_jobs.contracts.prediction import Priority
from zypher_jobs.contracts.stats import QueueStats
from zypher_tui.core import cells, formats
from zypher_tui.core.deeds import Noted
from zypher_tui.palette import palette
from zypher_tui.widgets.dialogs import Dialog
from zypher_tui.widgets.drawing import Part, entitle

DRAW_EVERY_S = 0.5
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
        entitle(self.box, f"{'s stops what is under way · ' if running else ''}esc closes · ↑ ↓ scroll", below=True)
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
