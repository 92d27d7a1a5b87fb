"""How it stands with each source, out of what they said last; and one sentence on what is wrong."""

from collections.abc import Collection

import msgspec

from zypher_jobs import __version__
from zypher_jobs.contracts.stats import Health
from zypher_tui.core import formats
from zypher_tui.core.readings import BARRING, Fault, Reading, SourceName, ending
from zypher_tui.core.view import AMISS, Link, LinkView

FRESH_S = 5.0
"""A source that has said nothing for longer is not relied upon; its own time limit is shorter."""


class _State(msgspec.Struct):
    last: Reading | None = None
    away_since_s: float | None = None
    refusing_since_s: float | None = None
    """It answers, and brings no figures to whoever asks here."""
    redis_away_since_s: float | None = None


class Links:
    """To each of the sources that are asked."""

    def __init__(self, expected: Collection[SourceName]) -> None:
        self._states = {source: _State() for source in SourceName if source in expected}

    def fold(self, reading: Reading) -> None:
        """Take in what a source said."""
        state = self._states[reading.source]
        state.last = reading
        state.away_since_s = _since(state.away_since_s, reading.at_s, reading.error is not None)
        state.refusing_since_s = _since(state.refusing_since_s, reading.at_s, _standing(reading) is not None)
        if reading.health is not None:
            state.redis_away_since_s = _since(state.redis_away_since_s, reading.at_s, not reading.health.redis.ok)

    def wants(self, source: SourceName, now_s: float) -> bool:
        """Whether that source should be asked: Redis is not, while the API brings all that it would, or may yet."""
        api = self._states.get(SourceName.API)
        if source is SourceName.API or api is None:
            return True
        return api.last is not None and self.preferred(now_s) is not SourceName.API

    def preferred(self, now_s: float) -> SourceName | None:
        """The source whose figures are fresh, the API first."""
        for source, state in self._states.items():
            if state.last and state.last.overview is not None and now_s - state.last.at_s <= FRESH_S:
                return source
        return None

    @property
    def api(self) -> Reading | None:
        """What the API said last, if it is asked."""
        state = self._states.get(SourceName.API)
        return state.last if state else None

    def seen(self, now_s: float) -> tuple[LinkView, ...]:
        """How it stands with each."""
        return tuple(self._link(source, now_s) for source in SourceName)

    def notice(
        self, links: Collection[LinkView], *, figures_from: SourceName | None, stale_s: float | None
    ) -> str | None:
        """What is wrong, and what is shown instead; ``figures_from``: who brought the last figures, ``stale_s`` ago."""
        api, amiss = self.api, [link for link in links if link.link in AMISS]
        sentences = [_amiss_sentence(link) for link in amiss]
        if api and api.error is None and api.overview_error and not amiss:
            sentences.append(f"The API has no figures: {api.overview_error}.")
        if api and api.overview_error:
            sentences += _versions(api.health)
        if not sentences:
            return _unready_sentence(api.health) if api and api.health else None
        if stale_s is not None:
            sentences.append(f"Figures are {formats.age_s(stale_s)} old.")
        elif figures_from is SourceName.REDIS:
            sentences.append("Figures come straight from Redis.")
        elif figures_from is None:
            sentences.append("Trying again every second.")
        return " ".join(sentences)

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
