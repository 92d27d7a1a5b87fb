"""Folds readings into the state of everything, and that into a view.

The figures are the API's while it brings them, else those read from Redis directly, else the last ones with their age.
"""

import math
from collections.abc import Callable, Collection, Sequence

import msgspec

from zypher_jobs.contracts.event import Event
from zypher_jobs.contracts.stats import Health, Overview
from zypher_tui.core.attention import Attention
from zypher_tui.core.book import CAPACITY, Book
from zypher_tui.core.concerns import Facts
from zypher_tui.core.departures import Departures
from zypher_tui.core.figures import THROUGHPUT_WINDOW_S, WINDOW_S, figures_of
from zypher_tui.core.heat import Heat
from zypher_tui.core.history import History
from zypher_tui.core.links import Links
from zypher_tui.core.looking_back import LookingBack
from zypher_tui.core.readings import Reading, SourceName
from zypher_tui.core.timeline import LEAST_S, Frame, Timeline
from zypher_tui.core.view import Figures, Link, LinkView, View

LOOSE_BYTES = 30_000_000
STALE_FRAME_S = 30.0
"""Figures of the past may be so much older than the time that is shown: a server records them every ten seconds."""


class Store:
    """All that is known. ``expected``: the sources that are asked."""

    def __init__(
        self, expected: Collection[SourceName] = (SourceName.API, SourceName.REDIS), *, keeps_all: bool = False
    ) -> None:
        """``keeps_all``: of the past, too, every frame, and as it came; somebody else sees to it that they are few.

        Such a store is only looked at at times of the past.
        """
        self.links = Links(expected)
        self.book = Book(outputs=CAPACITY) if keeps_all else Book()
        self.timeline = Timeline(kept_s=math.inf, fine_s=math.inf, loose_bytes=LOOSE_BYTES) if keeps_all else Timeline()
        self.heat = Heat()
        self.book.follow(self.heat)
        self.attention = Attention()
        self.departures = Departures()
        self.listeners: list[Callable[[Sequence[Event]], None]] = []
        """Are told what happened."""
        self._looking_back = LookingBack(self.timeline, self.book)
        self._history = History(kept_s=math.inf, has_tallies=False) if keeps_all else History()
        self._overview: Overview | None = None
        self._overview_at_s = 0.0
        self._overview_from: SourceName | None = None
        self._health: Health | None = None

    def fold(self, *readings: Reading) -> None:
        """Take in what sources said (at one time, if there are several)."""
        for reading in readings:
            self._fold(reading)
        self._keep_frame(readings[-1].at_s)
        self._look(readings[-1].at_s)

    def recall(self, *readings: Reading) -> None:
        """Take in what was seen long ago; what needed attention then is found when somebody looks back."""
        for reading in readings:
            self._fold(reading)
        self._keep_frame(readings[-1].at_s)

    def _fold(self, reading: Reading) -> None:
        self.links.fold(reading)
        if reading.health is not None:
            self._health = reading.health
        if reading.overview is not None and self.links.preferred(reading.at_s) is reading.source:
            self._overview, self._overview_at_s = _without_predictions(reading.overview), reading.at_s
            self._overview_from = reading.source
            self._history.add(reading.overview, at_s=reading.at_s)
            self.book.fold(reversed(reading.overview.latest))
            self.departures.fold(reading.overview, self.book)

    def hear(self, events: Sequence[Event]) -> None:
        """Take in what happened."""
        self.book.hear(events)
        self.departures.hear(events)
        for listener in self.listeners:
            listener(events)

    def add_earlier(self, frames: Sequence[Frame]) -> None:
        """Take in what was recorded before the first reading, in order of time."""
        self.timeline.add_earlier(frames)
        self._history.add_earlier((frame.at_s, frame.overview) for frame in frames if frame.overview is not None)
        self.departures.fold_earlier((frame.overview for frame in frames if frame.overview is not None), self.book)

    def view(self, now_s: float, *, at_s: float | None = None) -> View:
        """Everything as it stands at ``now_s`` (monotonic), or as it stood at ``at_s`` before that."""
        if at_s is not None:
            return self._past(now_s, at_s)
        overview, health = self._overview, self._health
        api = self.links.api
        stale_s = self._stale_s(now_s)
        links = self.links.seen(now_s)
        return View(
            now_s=now_s,
            taken_at=overview.taken_at if overview else None,
            overview_at_s=self._overview_at_s,
            stale_s=stale_s,
            figures_from=self._overview_from,
            version=health.version if health else None,
            uptime_s=health.uptime_s if health and api and api.error is None else None,
            links=links,
            notice=self.links.notice(links, figures_from=self._overview_from, stale_s=stale_s),
            figures=figures_of(overview, self._history) if overview else Figures(),
            history=self._history,
            overview=overview,
            health=health,
            book=self.book,
            heat=self.heat,
            items=self.attention.items,
            departures=self.departures,
        )

    def _past(self, now_s: float, at_s: float) -> View:
        """Out of the timeline, and what samples and predictions there were by then."""
        frame = self.timeline.at(at_s) or Frame(at_s=at_s)
        overview, health = frame.overview, frame.health
        before = History()
        for earlier in (self.timeline.at(at_s - WINDOW_S), self.timeline.at(at_s - THROUGHPUT_WINDOW_S), frame):
            if earlier is not None and earlier.overview is not None:
                before.add(earlier.overview, at_s=earlier.overview_at_s)
        stale_s = None if overview is None else at_s - frame.overview_at_s
        watched = self.attention.at(at_s)
        return View(
            now_s=at_s,
            past_s=max(now_s - at_s, 0),
            taken_at=overview.taken_at if overview else None,
            overview_at_s=frame.overview_at_s,
            stale_s=stale_s if stale_s and stale_s > STALE_FRAME_S else None,
            version=health.version if health else None,
            links=frame.links or tuple(LinkView(source=source, link=Link.UNKNOWN) for source in SourceName),
            notice=frame.notice,
            figures=figures_of(overview, before) if overview else Figures(),
            history=self._history,
            overview=overview,
            health=health,
            book=self.book,
            heat=self.heat,
            items=self._looking_back.items(at_s) if watched is None else watched,
            departures=self.departures,
        )

    def _look(self, at_s: float) -> None:
        """For what needs attention."""
        self.attention.look(
            Facts(
                at_s=at_s,
                overview=self._overview,
                health=self._health,
                links=self.links.seen(at_s),
                rows=self.book.rows,
            )
        )

    def _keep_frame(self, at_s: float) -> None:
        last_s = self.timeline.last_s
        if last_s is not None and at_s < last_s + LEAST_S:
            return
        api, links, stale_s = self.links.api, self.links.seen(at_s), self._stale_s(at_s)
        self.timeline.add(
            Frame(
                at_s=at_s,
                overview=self._overview,
                overview_at_s=self._overview_at_s,
                overview_from=self._overview_from,
                overview_error=api.overview_error if api else None,
                health=self._health,
                links=links,
                notice=self.links.notice(links, figures_from=self._overview_from, stale_s=stale_s),
            )
        )

    def _stale_s(self, now_s: float) -> float | None:
        return None if self._overview is None or self.links.preferred(now_s) else now_s - self._overview_at_s


def _without_predictions(overview: Overview) -> Overview:
    """They are in the book."""
    return msgspec.structs.replace(overview, latest=[])
