"""What a pane asks for when a key that acts is pressed; the dashboard does it, or says why it cannot."""

from collections.abc import Callable, Sequence

from textual.message import Message

from zypher_tui.core.deeds import Verb
from zypher_tui.core.filters import EVERYTHING, Filter
from zypher_tui.core.rows import Row


class Asked(Message):
    """Something is to be done to those of ``ids``, or to all that ``kept`` keeps, of which ``rows`` are known."""

    def __init__(
        self, verb: Verb, ids: Sequence[str] = (), *, kept: Filter = EVERYTHING, rows: Sequence[Row] = ()
    ) -> None:
        super().__init__()
        self.verb = verb
        self.ids = tuple(ids)
        self.kept = kept
        self.rows = rows


def is_there(action: str, parameters: tuple[object, ...], verb_again: Callable[[str], Verb]) -> bool:
    """Of the two actions that ask again only one is there: what waits is retried, what ended is replayed.

    ``verb_again`` says which, of what ``ask`` or ``ask_many`` would be done to now.
    """
    is_again = action in ("ask", "ask_many") and parameters in ((Verb.RETRY,), (Verb.REPLAY,))
    return not is_again or parameters == (verb_again(action),)


class QueueAsked(Message):
    """A queue is to be paused, or resumed."""

    def __init__(self, queue: str, *, pauses: bool) -> None:
        super().__init__()
        self.queue = queue
        self.pauses = pauses


class Acted(Message):
    """Something was done from here, or tried; it is told already, and kept among what was done."""

    def __init__(self, sentence: str, *, is_well: bool = True) -> None:
        super().__init__()
        self.sentence = sentence
        self.is_well = is_well
