"""Which time is shown, of all that are known: now, or one of the past."""

from collections.abc import Callable
from typing import ClassVar

import msgspec

from zypher_tui.core.attention import Moment
from zypher_tui.core.store import Store
from zypher_tui.core.view import View


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """All times that can be shown."""

    first_s: float | None = None
    """``None``: nothing is known yet."""
    last_s: float = 0.0
    moments: tuple[float, ...] = ()
    """When something began to need attention."""
    words: tuple[str, str] = ("ago", "now")
    """What a distance is from, and what the key that pauses leads to."""

    def share_of(self, at_s: float) -> float:
        """Where in it that time lies: 0 is the first, 1 the last."""
        first_s = self.first_s or 0.0
        return (at_s - first_s) / (self.last_s - first_s) if self.last_s > first_s else 1.0

    def at(self, share: float) -> float:
        """The time that lies there."""
        first_s = self.first_s or 0.0
        return first_s + share * (self.last_s - first_s)


class Times:
    """Follows what is now, until a person stops it."""

    WORDS: ClassVar[tuple[str, str]] = ("ago", "now")

    def __init__(self, store: Store, clock_s: Callable[[], float]) -> None:
        self.at_s: float | None = None
        """The one in the past that is shown; ``None``: it is now."""
        self.clock_s = clock_s
        self._store = store

    @property
    def now_s(self) -> float:
        """The dashboard's time."""
        return self.clock_s()

    @property
    def view(self) -> View:
        """Everything, as it is or was then."""
        return self._store.view(self.now_s, at_s=self.at_s)

    @property
    def span(self) -> Span:
        """Where the time lies that is shown; of what is now, nobody asks when something needed attention before."""
        moments = () if self.at_s is None else tuple(each.at_s for each in self._store.attention.moments)
        return Span(first_s=self._store.timeline.first_s, last_s=self.now_s, moments=moments, words=self.WORDS)

    def turn(self) -> None:
        """Stop at this time, or go back to what is now; what happens is collected either way."""
        self.at_s = self.now_s if self.at_s is None else None

    def show(self, at_s: float | None) -> None:
        """Show that time of the past, or now."""
        self.at_s = at_s

    def go_to(self, at_s: float) -> None:
        """Show another time: stops first, and never goes beyond what is known."""
        first_s = self._store.timeline.first_s
        if first_s is not None:
            self.show(min(max(at_s, first_s), self.now_s))

    def step(self, seconds: float) -> None:
        """Show a time so much before the one that is shown, or after it."""
        self.go_to(self._shown_s + seconds)

    def show_bound(self, step: int) -> None:
        """Show the first time of which something is known, or the last."""
        self.show(self._store.timeline.first_s if step < 0 else self._end_s)

    def next_moment(self, step: int) -> Moment | None:
        """When something began to need attention, the last time before the one that is shown or the next."""
        return self._store.attention.nearest(self._shown_s, later=step > 0)

    def pass_on(self) -> bool:
        """Whether another time of the past is shown by now, without anybody's doing."""
        return False

    @property
    def _shown_s(self) -> float:
        return self.now_s if self.at_s is None else self.at_s

    @property
    def _end_s(self) -> float | None:
        """The last time that can be shown; ``None``: now."""
        return None
