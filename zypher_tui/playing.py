"""Which time of a recording is shown: it stands still, or goes on as fast as it was."""

import time

from zypher_tui.core.times import Times
from zypher_tui.sources.replayed import Replayed


class Playing(Times):
    """Its end is what now is for a running system."""

    WORDS = ("before the end", "play or stop")

    def __init__(self, replayed: Replayed, *, wanted_s: float | None) -> None:
        """``wanted_s`` is the time that is shown first, in Unix time; the end if none is said."""
        super().__init__(replayed.store, lambda: replayed.last_s)
        self._replayed = replayed
        self._wanted_s = wanted_s
        self._playing: tuple[float, float] | None = None
        """Since when, on the monotonic clock, and from which time on."""
        self._is_led = True
        """Whether nobody has chosen a time yet."""
        self.lead()

    def lead(self) -> None:
        """Show the time that is wanted, or what comes nearest to it in what is read, until somebody chooses another."""
        if self._is_led:
            replayed = self._replayed
            wanted_s = replayed.last_s if self._wanted_s is None else self._wanted_s
            self.at_s = min(max(wanted_s, replayed.first_s), replayed.last_s)

    def turn(self) -> None:
        """Let it go on from the time that is shown; or stop it."""
        self._is_led = False
        at_s = self.at_s
        self._playing = (time.monotonic(), at_s) if self._playing is None and at_s is not None else None

    def show(self, at_s: float | None) -> None:
        """Show another time; it goes on from there if it does."""
        self._is_led = False
        super().show(at_s)
        if self._playing is not None and at_s is not None:
            self._playing = time.monotonic(), at_s

    def pass_on(self) -> bool:
        """While it plays, up to its end."""
        if self._playing is None:
            return False
        since_s, from_s = self._playing
        self.at_s = min(from_s + time.monotonic() - since_s, self._replayed.last_s)
        if self.at_s == self._replayed.last_s:
            self._playing = None
        return True

    @property
    def _end_s(self) -> float:
        return self._replayed.last_s
