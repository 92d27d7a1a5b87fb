"""Folds readings into the state of everything, and that into a view.

The figures are the API's while it brings them, else those read from Redis directly, else the last ones with their age.
"""

import math
from collections.abc import Callable, Collection, Sequence

import msgspec

from zypher_jobs import __version__
from zypher_jobs.contracts.event import Event
from zypher_jobs.contracts.stats import Health, Overview
from zypher_tui.core import formats
from zypher_tui.core.attention import Attention
from zypher_tui.core.book import CAPACITY, Book
from zypher_tui.core.concerns import Facts
from zypher_tui.core.departures import Departures
from zypher_tui.core.figures import THROUGHPUT_WINDOW_S, WINDOW_S, figures_of
from zypher_tui.core.heat import Heat
from zypher_tui.core.history import History
from zypher_tui.core.looking_back import LookingBack
from zypher_tui.core.readings import BARRING, Fault, Reading, SourceName, ending
from zypher_tui.core.timeline import LEAST_S, Frame, Timeline
from zypher_tui.core.view import AMISS, Figures, Link, LinkView, View

FRESH_S = 5.0
"""A source that has said nothing for longer is not relied upon; its own time limit is shorter."""
LOOSE_BYTES = 30_000_000
STALE_FRAME_S = 30.0
"""Figures of the past may be so much older than the time that is shown: a server records them every ten seconds."""


class _SourceState(msgspec.Struct):
    last: Reading | None = None
    away_since_s: float | None = None
    refusing_since_s: float | None = None
    """It answers, and brings no figures to whoever asks here."""
    redis_away_since_s: float | None = None


class Store:
    """All that is known. ``expected``: the sources that are asked."""

    def __init__(
        self, expected: Collection[SourceName] = (SourceName.API, SourceName.REDIS), *, keeps_all: bool = False
    ) -> None:
        """``keeps_all``: of the past, too, every frame, and as it came; somebody else sees to it that they are few.

        Such a store is only looked at at times of the past.
        """
        self.book = Book(outputs=CAPACITY) if keeps_all else Book()
        self.timeline = Timeline(kept_s=math.inf, fine_s=math.inf, loose_bytes=LOOSE_BYTES) if keeps_all else Timeline()
        self.heat = Heat()
        self.book.follow(self.heat)
        self.attention = Attention()
        self.departures = Departures()
        self.listeners: list[Callable[[Sequence[Event]], None]] = []
        """Are told what happened."""
        self._looking_back = LookingBack(self.timeline, self.book)
        self._states = {source: _SourceState() for source in SourceName if source in expected}
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
        state = self._states[reading.source]
        state.last = reading
        state.away_since_s = _since(state.away_since_s, reading.at_s, reading.error is not None)
        state.refusing_since_s = _since(state.refusing_since_s, reading.at_s, _standing(reading) is not None)
        if reading.health is not None:
            self._health = reading.health
            state.redis_away_since_s = _since(state.redis_away_since_s, reading.at_s, not reading.health.redis.ok)
        if reading.overview is not None and self.preferred(reading.at_s) is reading.source:
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

    def wants(self, source: SourceName, now_s: float) -> bool:
        """Whether that source should be asked: Redis is not, while the API brings all that it would, or may yet."""
        api = self._states.get(SourceName.API)
        if source is SourceName.API or api is None:
            return True
        return api.last is not None and self.preferred(now_s) is not SourceName.API

    def view(self, now_s: float, *, at_s: float | None = None) -> View:
        """Everything as it stands at ``now_s`` (monotonic), or as it stood at ``at_s`` before that."""
        if at_s is not None:
            return self._past(now_s, at_s)
        overview, health = self._overview, self._health
        api = self._states.get(SourceName.API)
        api_answers = api is not None and api.last is not None and api.last.error is None
        stale_s = self._stale_s(now_s)
        links = self._links(now_s)
        return View(
            now_s=now_s,
            taken_at=overview.taken_at if overview else None,
            overview_at_s=self._overview_at_s,
            stale_s=stale_s,
            figures_from=self._overview_from,
            version=health.version if health else None,
            uptime_s=health.uptime_s if health and api_answers else None,
            links=links,
            notice=self._notice(links, stale_s),
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
                links=self._links(at_s),
                rows=self.book.rows,
            )
        )

    def _keep_frame(self, at_s: float) -> None:
        last_s = self.timeline.last_s
        if last_s is not None and at_s < last_s + LEAST_S:
            return
        links = self._links(at_s)
        api = self._states.get(SourceName.API)
        self.timeline.add(
            Frame(
                at_s=at_s,
                overview=self._overview,
                overview_at_s=self._overview_at_s,
                overview_from=self._overview_from,
                overview_error=api.last.overview_error if api and api.last else None,
                health=self._health,
                links=links,
                notice=self._notice(links, self._stale_s(at_s)),
            )
        )

    def _stale_s(self, now_s: float) -> float | None:
        return None if self._overview is None or self.preferred(now_s) else now_s - self._overview_at_s

    def _links(self, now_s: float) -> tuple[LinkView, ...]:
        return tuple(self._link(source, now_s) for source in SourceName)

    def preferred(self, now_s: float) -> SourceName | None:
        """The source whose figures are fresh, the API first."""
        for source, state in self._states.items():
            if state.last and state.last.overview is not None and now_s - state.last.at_s <= FRESH_S:
                return source
        return None

    def _link(self, source: SourceName, now_s: float) -> LinkView:
        state = self._states.get(source)
        if source is SourceName.REDIS and (state is None or not self.wants(source, now_s)):
            return self._redis_through_the_api(now_s)
        if state is None or state.last is None:
            return LinkView(source=source, link=Link.CONNECTING)
        if state.away_since_s is not None:
            since_s = now_s - state.away_since_s
            return LinkView(
                source=source, link=Link.AWAY, since_s=since_s, reason=state.last.error, fault=state.last.fault
            )
        if state.refusing_since_s is not None and (standing := _standing(state.last)) is not None:
            return LinkView(
                source=source,
                link=standing,
                since_s=now_s - state.refusing_since_s,
                reason=state.last.overview_error,
                fault=state.last.fault,
            )
        return LinkView(source=source, link=Link.UP, latency_ms=state.last.latency_ms)

    def _redis_through_the_api(self, now_s: float) -> LinkView:
        """Without an address of Redis, what the API says of it."""
        api = self._states.get(SourceName.API)
        if api is None or api.last is None:
            return LinkView(source=SourceName.REDIS, link=Link.CONNECTING)
        if api.last.error is not None or api.last.health is None:
            return LinkView(source=SourceName.REDIS, link=Link.UNKNOWN)
        redis = api.last.health.redis
        if redis.ok:
            return LinkView(source=SourceName.REDIS, link=Link.UP, latency_ms=redis.latency_ms)
        since_s = None if api.redis_away_since_s is None else now_s - api.redis_away_since_s
        return LinkView(source=SourceName.REDIS, link=Link.AWAY, since_s=since_s, reason=ending(redis.detail or ""))

    def _notice(self, links: tuple[LinkView, ...], stale_s: float | None) -> str | None:
        amiss = [link for link in links if link.link in AMISS]
        sentences = [_amiss_sentence(link) for link in amiss]
        api = self._states.get(SourceName.API)
        if api and api.last and api.last.error is None and api.last.overview_error and not amiss:
            sentences.append(f"The API has no figures: {api.last.overview_error}.")
        if api and api.last and api.last.overview_error:
            sentences += _versions(api.last.health)
        if not sentences:
            return _unready_sentence(api.last.health) if api and api.last and api.last.health else None
        if stale_s is not None:
            sentences.append(f"Figures are {formats.age_s(stale_s)} old.")
        elif self._overview_from is SourceName.REDIS:
            sentences.append("Figures come straight from Redis.")
        elif self._overview is None:
            sentences.append("Trying again every second.")
        return " ".join(sentences)


def _since(since_s: float | None, now_s: float, still: bool) -> float | None:
    """Since when something lasts: kept while it does, ``None`` once it ends."""
    if not still:
        return None
    return now_s if since_s is None else since_s


def _standing(reading: Reading) -> Link | None:
    """How it stands with a source that answers and brings no figures, if that is its own doing."""
    if reading.error is not None or reading.overview_error is None:
        return None
    if reading.fault in BARRING:
        return Link.REFUSING
    return Link.STRANGE if reading.fault in (Fault.VERSION, Fault.FOREIGN) else None


def _versions(health: Health | None) -> list[str]:
    """Both of them, if they differ."""
    if health is None or health.version == __version__:
        return []
    return [f"It is Zypher {health.version}, this dashboard is of Zypher {__version__}."]


def _amiss_sentence(link: LinkView) -> str:
    lasting = f" for {formats.age_s(link.since_s)}" if link.since_s and link.since_s >= 1 else ""
    reason = f": {link.reason}" if link.reason else ""
    return f"{link.source.label} {link.link.value}{lasting}{reason}."


def _unready_sentence(health: Health) -> str | None:
    """Of the first model that is not ready, and how many more there are."""
    unready = [(name, part.detail or "") for name, part in health.models.items() if not part.ok]
    if not unready:
        return None
    name, detail = unready[0]
    more = f" {len(unready) - 1} more not ready." if len(unready) > 1 else ""
    return f"Model {name} {ending(detail) or 'not ready'}.{more}"


def _without_predictions(overview: Overview) -> Overview:
    """They are in the book."""
    return msgspec.structs.replace(overview, latest=[])
