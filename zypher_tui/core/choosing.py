"""The columns of the list of predictions, and what a person makes of them."""

from collections.abc import Iterable, Mapping

COLUMNS: Mapping[str, str] = {
    "created": "when it was asked for",
    "id": "its id",
    "model": "the model",
    "version": "of the model",
    "mode": "sync or async",
    "queue": "its priority: high, normal, low",
    "caller": "the id of the key that asked",
    "status": "where it stands",
    "attempts": "how many were begun",
    "worker": "of the last attempt",
    "started": "when the last attempt began",
    "finished": "when it ended",
    "wait": "from created to started",
    "run": "from started to finished",
    "total": "from created to finished",
    "progress": "how far it is",
    "error": "the code of its error",
    "fingerprint": "the kind of its error",
    "input": "what was asked, its beginning",
    "result": "the output or the error",
}
"""Their names, and what each shows; all of it is in a row."""
USUAL = ("created", "id", "model", "mode", "status", "wait", "run", "input", "result")
"""Those that are shown unless a person chose others, in their order."""


class Choosing:
    """All columns in an order; some are shown, and one is under the cursor."""

    def __init__(self, shown: Iterable[str]) -> None:
        """``shown`` come first, in their order; one of them always stays."""
        self._shown = dict.fromkeys(shown)
        self.order = [*self._shown, *(name for name in COLUMNS if name not in self._shown)]
        self.cursor = 0

    @property
    def shown(self) -> tuple[str, ...]:
        """Those that are shown, in their order."""
        return tuple(name for name in self.order if name in self._shown)

    def move(self, lines: int) -> None:
        """Move the cursor, as far as there are columns."""
        self.cursor = max(min(self.cursor + lines, len(self.order) - 1), 0)

    def switch(self) -> bool:
        """Show the one under the cursor, or do not; ``False``: it is the last one, and stays."""
        name = self.order[self.cursor]
        if name not in self._shown:
            self._shown[name] = None
        elif len(self._shown) > 1:
            del self._shown[name]
        else:
            return False
        return True

    def carry(self, lines: int) -> None:
        """Move the one under the cursor by so many places; the cursor goes along."""
        name = self.order.pop(self.cursor)
        self.cursor = max(min(self.cursor + lines, len(self.order)), 0)
        self.order.insert(self.cursor, name)

    def begin_anew(self) -> None:
        """Have the usual ones again."""
        held = self.order[self.cursor]
        self.__init__(USUAL)
        self.cursor = self.order.index(held)
