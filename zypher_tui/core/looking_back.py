"""What needed attention at a time that nobody watched: the frames of the minutes before it are looked at again."""

from collections.abc import Callable

from zypher_tui.core.attention import Attention
from zypher_tui.core.book import Book
from zypher_tui.core.concerns import Facts
from zypher_tui.core.items import Item
from zypher_tui.core.model_rules import ROWS_LOOKED_AT
from zypher_tui.core.rows import ms_of
from zypher_tui.core.timeline import Frame, Timeline

BACK_S = 300.0
"""How far the rules look back: trouble that began before that is seen as if it had begun then."""
STEP_S = 10.0
MOST_NOTES = 20_000
"""Of a day with trouble all the time, every half minute."""


class LookingBack:
    """Remembers where it looked last: going on from there costs a frame, going elsewhere some thirty (20 ms)."""

    def __init__(self, timeline: Timeline, book: Book) -> None:
        self._timeline = timeline
        self._book = book
        self._attention = Attention()
        self._at_s: float | None = None

    def items(self, at_s: float) -> tuple[Item, ...]:
        """The worst first."""
        before_s = self._at_s
        if before_s is None or not before_s <= at_s <= before_s + BACK_S:
            self._attention = Attention()
            before_s = at_s - BACK_S
        while before_s < at_s:
            before_s = min(before_s + STEP_S, at_s)
            frame = self._timeline.at(before_s)
            if frame is not None:
                self._look(frame, before_s)
        self._at_s = at_s
        return self._attention.items

    def _look(self, frame: Frame, at_s: float) -> None:
        self._attention.look(_facts(frame, at_s, self._book))


class Hindsight:
    """Looks at all that was seen, from its begin, in steps; ``attention`` then knows each time of it."""

    def __init__(self, timeline: Timeline, book: Book) -> None:
        self._timeline = timeline
        self._book = book
        self._times = timeline.times(float("-inf"), float("inf"))
        self._done = 0
        self.attention = Attention(most_notes=MOST_NOTES)

    @property
    def share(self) -> float:
        """How much of it was looked at."""
        return self._done / len(self._times) if self._times else 1.0

    def step(self, seconds: float, clock: Callable[[], float]) -> bool:
        """Go on for about so long; whether there is more."""
        until_s = clock() + seconds
        while self._done < len(self._times) and clock() < until_s:
            at_s = self._times[self._done]
            frame = self._timeline.at(at_s)
            if frame is not None:
                self.attention.look(_facts(frame, at_s, self._book))
            self._done += 1
        return self._done < len(self._times)


def _facts(frame: Frame, at_s: float, book: Book) -> Facts:
    overview = frame.overview
    end = book.until(ms_of(overview.taken_at)) if overview is not None else 0
    return Facts(
        at_s=at_s,
        overview=overview,
        health=frame.health,
        links=frame.links,
        rows=book.rows[max(end - ROWS_LOOKED_AT, 0) : end],
    )
