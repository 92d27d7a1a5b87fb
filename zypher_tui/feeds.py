"""What goes on behind the screen: each source is asked again and again, events are heard, rows get their texts.

One long loop for each of them: it outlives every outage and every defect of a source, which the store then shows.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, suppress
from datetime import timedelta
from typing import TypeVar

from zypher_jobs.contracts.event import Event
from zypher_jobs.contracts.prediction import Status
from zypher_tui.core.cleaning import clean
from zypher_tui.core.readings import Reading, SourceName
from zypher_tui.core.rows import Row, at_of
from zypher_tui.core.store import Store
from zypher_tui.core.timeline import recorded_frame
from zypher_tui.sources.source import MOST_IDS, Source, SourceAway

INTERVAL_S = 1.0
"""Time between two questions to a source."""
PAGE = 200
"""Predictions of one page of the past."""
READ_BACK = 100_000
"""Predictions that are read back at most; page by page, so that nobody feels it."""
PAGE_EVERY_S = 0.2
FIRST_PAGES = 10
"""Those come one after the other: a screen wants to be full."""

HISTORY = ((timedelta(hours=1), 360), (timedelta(hours=11), 330))
"""How much of what the server recorded is read, from now back, and in how many frames at most."""
LOOK_UP_S = 0.2
"""A frame waits no longer for the texts of its rows."""
SETTLE_EVERY = 5
"""Intervals between two looks at what has not ended."""

Opener = Callable[[], Source]
T = TypeVar("T")


class Feeds:
    """Opens the sources (in a thread, for their imports are slow) and folds what they bring into a store."""

    def __init__(
        self,
        openers: Mapping[SourceName, Opener],
        store: Store,
        *,
        changed: Callable[[], None],
        interval_s: float = INTERVAL_S,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """``changed`` is called after each fold."""
        self._openers = openers
        self._store = store
        self._changed = changed
        self._interval_s = interval_s
        self._clock_s = clock_s
        self._sources: dict[SourceName, Source] = {}
        self._last_event: str | None = None
        self._is_leaving = False

    @property
    def sources(self) -> Mapping[SourceName, Source]:
        """Those that are open, the API first."""
        return {name: self._sources[name] for name in SourceName if name in self._sources}

    @property
    def is_reading(self) -> bool:
        """Whether every source that is wanted was opened."""
        now_s = self._clock_s()
        return all(name in self._sources for name in self._openers if self._store.links.wants(name, now_s))

    def loops(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """What is to run for as long as the dashboard does, by name."""
        loops: dict[str, Callable[[], Awaitable[None]]] = {
            f"follow {name}": lambda name=name: self._follow(name) for name in self._openers
        }
        return loops | {
            "listen": self._listen,
            "fill in": self._fill_in,
            "settle": self._settle,
            "read back": self._read_back,
            "history": self._read_history,
        }

    def leave(self) -> None:
        """Begin nothing any more: a client of Redis was seen to swallow a cancellation, and its loop then goes on."""
        self._is_leaving = True

    async def first(self, ask: Callable[[Source], Awaitable[T]]) -> tuple[T, SourceName] | None:
        """What the first source that answers says, and which one that was; ``None`` when none does."""
        for source in self.sources.values():
            with suppress(SourceAway):
                return await ask(source), source.name
        return None

    async def aclose(self) -> None:
        """Let go of the sources."""
        for source in self._sources.values():
            await source.aclose()

    async def _follow(self, name: SourceName) -> None:
        """Ask one source; whatever goes wrong is shown and tried again."""
        while not self._is_leaving:
            if not self._store.links.wants(name, self._clock_s()):
                await asyncio.sleep(self._interval_s)
                continue
            started_s = time.monotonic()
            try:
                source = self._sources.get(name)
                if source is None:
                    source = self._sources[name] = await asyncio.to_thread(self._openers[name])
                reading = await source.read(overview=True)
            except Exception as error:  # noqa: BLE001  # the dashboard outlives every source's defect and says so
                why = clean(f"{type(error).__name__}: {error}")[:200]
                reading = Reading(source=name, at_s=self._clock_s(), error=why)
            self._store.fold(reading)
            self._changed()
            await asyncio.sleep(max(self._interval_s - (time.monotonic() - started_s), 0.01))

    async def _listen(self) -> None:
        """Hear the events of the source that has the figures; of another when that changes."""
        while not self._is_leaving:
            source = self._source
            if source is not None:
                with suppress(Exception):  # what is wrong with it, its readings say
                    async with aclosing(source.events(self._last_event)) as events:
                        await self._hear(events, source.name)
            await asyncio.sleep(self._interval_s)

    async def _hear(self, events: AsyncGenerator[list[Event]], name: SourceName) -> None:
        async for batch in events:
            self._store.hear(batch)
            self._last_event = batch[-1].event_id
            self._changed()
            if self._is_leaving or self._store.links.preferred(self._clock_s()) is not name:
                return

    async def look_up(self, rows: Iterable[Row]) -> None:
        """Read the summaries of those that changed since theirs were read: they are about to be seen. Not for long."""
        wanted = [row.prediction_id for row in rows if not row.is_detailed or row.status is Status.RUNNING]
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_UP_S):
                await self._read_again(wanted[:MOST_IDS])

    async def look_again(self, prediction_ids: Sequence[str]) -> None:
        """Read these now, for something was done to them; those that are gone leave the list."""
        for first in range(0, len(prediction_ids), MOST_IDS):
            some = prediction_ids[first : first + MOST_IDS]
            found = await self._read_again(some)
            if found is not None:
                self._store.book.bury(set(some).difference(found))

    async def _fill_in(self) -> None:
        """Read the summaries of rows that ended."""
        while not self._is_leaving:
            await asyncio.sleep(self._interval_s / 2)
            ended = self._store.book.take_undetailed(MOST_IDS)
            if await self._read_again(ended) is None:
                self._store.book.ask_again(ended)

    async def _settle(self) -> None:
        """Read what has not ended, all in turn: events may have been missed, and what is gone tells nobody."""
        while not self._is_leaving:
            await asyncio.sleep(self._interval_s * SETTLE_EVERY)
            wanted = self._store.book.take_open(MOST_IDS)
            found = await self._read_again(wanted)
            if found is not None:
                self._store.book.forget(set(wanted).difference(found))

    async def _read_again(self, wanted: Sequence[str]) -> Sequence[str] | None:
        """Ids of those that are still there; ``None`` when nobody could be asked."""
        source = self._source
        if not wanted:
            return ()
        if source is None:
            return None
        try:
            found = await source.summaries(wanted)
        except SourceAway:
            return None
        before = self._store.book.revision
        self._store.book.fold(found)
        if self._store.book.revision != before:
            self._changed()
        return [each.prediction_id for each in found]

    async def _read_back(self) -> None:
        """Read what there was before, from the newest back."""
        before: str | None = None
        pages = 0
        while (pages == 0 or before is not None) and pages * PAGE < READ_BACK:
            source = self._source
            if source is None:
                await asyncio.sleep(self._interval_s)
                continue
            try:
                found, before = await source.page(before=before, limit=PAGE)
            except SourceAway:
                await asyncio.sleep(self._interval_s)
                continue
            self._store.book.fold(reversed(found))
            self._changed()
            pages += 1
            await asyncio.sleep(0 if pages < FIRST_PAGES else PAGE_EVERY_S)

    async def _read_history(self) -> None:
        """Read what the server recorded before the first reading: the last hour whole, more widely before that."""
        source = await self._wait_for_source()
        view = self._store.view(self._clock_s())
        until = at_of(view.now_ms)
        for window, most in HISTORY:
            since = until - window
            try:
                frames = await source.history(since=since, until=until, most=most)
            except SourceAway:
                return  # it keeps none, or is away: there is what is seen from now on
            self._store.add_earlier([recorded_frame(each, view) for each in frames])
            self._changed()
            until = since

    async def _wait_for_source(self) -> Source:
        while True:
            if (source := self._source) is not None:
                return source
            await asyncio.sleep(self._interval_s)

    @property
    def _source(self) -> Source | None:
        """The one that has the figures."""
        name = self._store.links.preferred(self._clock_s())
        return self._sources.get(name) if name else None
