"""Folds readings into the state of everything, and that into a view.

The figures are the API's while it brings them, else those read from Redis directly, else the last ones with their age.
"""

from collections.abc import Collection

import msgspec

from zypher_jobs.contracts.stats import Health, Overview
from zypher_tui.core import formats
from zypher_tui.core.history import History, Sample
from zypher_tui.core.readings import Reading, SourceName, ending
from zypher_tui.core.view import Figures, Link, LinkView, View

FRESH_S = 5.0
"""A source that has said nothing for longer is not relied upon; its own time limit is shorter."""
WINDOW_S = 60.0
"""What the failed share and the percentiles look back on."""
THROUGHPUT_WINDOW_S = 5.0
"""What the throughput is averaged over: a batch of workers' reports arrives in lumps."""


class _SourceState(msgspec.Struct):
    last: Reading | None = None
    away_since_s: float | None = None
    redis_away_since_s: float | None = None


class Store:
    """All that is known. ``expected``: the sources that are asked."""

    def __init__(self, expected: Collection[SourceName] = (SourceName.API, SourceName.REDIS)) -> None:
        self._states = {source: _SourceState() for source in SourceName if source in expected}
        self._history = History()
        self._overview: Overview | None = None
        self._overview_at_s = 0.0
        self._overview_from: SourceName | None = None
        self._health: Health | None = None

    def fold(self, reading: Reading) -> None:
        """Take in what a source said."""
        state = self._states[reading.source]
        state.last = reading
        state.away_since_s = _since(state.away_since_s, reading.at_s, reading.error is not None)
        if reading.health is not None:
            self._health = reading.health
            state.redis_away_since_s = _since(state.redis_away_since_s, reading.at_s, not reading.health.redis.ok)
        if reading.overview is not None and self._preferred(reading.at_s) is reading.source:
            self._overview, self._overview_at_s = reading.overview, reading.at_s
            self._overview_from = reading.source
            self._history.add(reading.overview, at_s=reading.at_s)

    def wants_overview(self, source: SourceName, now_s: float) -> bool:
        """Whether that source should bring figures: a second one is not asked for what the first one brings."""
        preferred = self._preferred(now_s)
        return preferred is None or source is preferred or source is SourceName.API

    def view(self, now_s: float) -> View:
        """Everything as it stands at ``now_s`` (monotonic)."""
        overview, health = self._overview, self._health
        api = self._states.get(SourceName.API)
        api_answers = api is not None and api.last is not None and api.last.error is None
        stale_s = None
        if overview is not None and self._preferred(now_s) is None:
            stale_s = now_s - self._overview_at_s
        links = tuple(self._link(source, now_s) for source in SourceName)
        return View(
            now_s=now_s,
            taken_at=overview.taken_at if overview else None,
            stale_s=stale_s,
            figures_from=self._overview_from,
            version=health.version if health else None,
            uptime_s=health.uptime_s if health and api_answers else None,
            links=links,
            notice=self._notice(links, stale_s),
            figures=self._figures(overview) if overview else Figures(),
            samples=self._history.samples,
            workers=tuple(overview.workers) if overview else (),
            latest=tuple(overview.latest) if overview else (),
        )

    def _preferred(self, now_s: float) -> SourceName | None:
        """The source whose figures are fresh, the API first."""
        for source, state in self._states.items():
            if state.last and state.last.overview is not None and now_s - state.last.at_s <= FRESH_S:
                return source
        return None

    def _link(self, source: SourceName, now_s: float) -> LinkView:
        state = self._states.get(source)
        if state is None:
            return self._redis_through_the_api(now_s)
        if state.last is None:
            return LinkView(source=source, link=Link.CONNECTING)
        if state.away_since_s is not None:
            since_s = now_s - state.away_since_s
            return LinkView(source=source, link=Link.AWAY, since_s=since_s, reason=state.last.error)
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

    def _figures(self, overview: Overview) -> Figures:
        queue = overview.queue
        now = Figures(depth=queue.depth, running=queue.running, oldest_age_ms=queue.oldest_age_ms)
        samples = self._history.samples
        if not samples:
            return now
        last = samples[-1]
        window = self._history.before(WINDOW_S)
        if window is not None and last.finished == window.finished:
            window = None  # nothing ended lately: all there is says more than nothing
        finished = last.finished - (window.finished if window else 0)
        failed = last.failed - (window.failed if window else 0)
        wait = last.wait.since(window.wait) if window else last.wait
        run = last.run.since(window.run) if window else last.run
        return msgspec.structs.replace(
            now,
            per_s=_throughput(last, self._history.before(THROUGHPUT_WINDOW_S)),
            failed_share=failed / finished if finished else None,
            wait_p50=wait.percentile(0.5),
            wait_p95=wait.percentile(0.95),
            run_p50=run.percentile(0.5),
            run_p95=run.percentile(0.95),
            window_s=last.at_s - window.at_s if window else None,
        )

    def _notice(self, links: tuple[LinkView, ...], stale_s: float | None) -> str | None:
        away = [link for link in links if link.link is Link.AWAY]
        sentences = [_away_sentence(link) for link in away]
        api = self._states.get(SourceName.API)
        if api and api.last and api.last.error is None and api.last.overview_error and not away:
            sentences.append(f"The API has no figures: {api.last.overview_error}.")
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


def _away_sentence(link: LinkView) -> str:
    lasting = f" for {formats.age_s(link.since_s)}" if link.since_s and link.since_s >= 1 else ""
    reason = f": {link.reason}" if link.reason else ""
    return f"{link.source.label} away{lasting}{reason}."


def _unready_sentence(health: Health) -> str | None:
    """Of the first model that is not ready, and how many more there are."""
    unready = [(name, part.detail or "") for name, part in health.models.items() if not part.ok]
    if not unready:
        return None
    name, detail = unready[0]
    more = f" {len(unready) - 1} more not ready." if len(unready) > 1 else ""
    return f"Model {name} {ending(detail) or 'not ready'}.{more}"


def _throughput(last: Sample, before: Sample | None) -> float | None:
    if before is None:
        return None
    return (last.finished - before.finished) / (last.at_s - before.at_s)
