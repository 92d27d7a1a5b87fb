"""What a dashboard knows, as the lines of a recording: of the hours before, and of each moment from then on.

A recording that is begun after an incident holds it all the same. Its times are the server's: ``epoch_s`` is the Unix
time at which the dashboard's clock said 0.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from zypher_jobs.contracts.event import Event
from zypher_tui.core.departures import Ending
from zypher_tui.core.readings import SourceName
from zypher_tui.core.recording import EventsLine, FrameLine, Line, RowsLine, SourceState
from zypher_tui.core.rows import Row, at_of
from zypher_tui.core.shrinking import Shrinker
from zypher_tui.core.store import Store
from zypher_tui.core.timeline import Frame
from zypher_tui.core.view import Link, View

IN_A_LINE = 500
"""Rows and events, at most."""


EVER = float("-inf")
"""From then on is all that is known."""


def epoch_of(view: View) -> float | None:
    """Of a view of now; ``None`` while no figures ever came."""
    return None if view.taken_at is None else view.now_ms / 1000 - view.now_s


class Known:
    """Follows a store from its creation on; ``past``, once, and then ``lines`` again and again. ``close`` it."""

    def __init__(self, store: Store, *, epoch_s: float, previews: bool) -> None:
        self._store = store
        self._epoch_s = epoch_s
        self._previews = previews
        self._shrinker = Shrinker()
        self._overview_at_s: float | None = None
        self._last_s = store.timeline.last_s or 0.0
        """The time of the last frame that is written, or left to the past."""
        self._changed: dict[str, Row] = {}
        self._events: list[Event] = []
        self.predictions = 0
        """Rows that were given out, some of them twice."""
        self.share = 0.0
        """How much of the past was given out."""
        store.book.follow(self)
        store.listeners.append(self.hear)

    def close(self) -> None:
        """Follow it no more."""
        self._store.book.unfollow(self)
        self._store.listeners.remove(self.hear)

    def changed(self, row: Row) -> None:
        """See ``Follower``."""
        self._changed[row.prediction_id] = row

    def left(self, rows: Sequence[Row]) -> None:
        """See ``Follower``: they were there all the same."""

    def hear(self, events: Iterable[Event]) -> None:
        """See ``Store.listeners``."""
        self._events += events

    def at(self, at_s: float) -> datetime:
        """A time of the dashboard's clock."""
        return datetime.fromtimestamp(self._epoch_s + at_s, UTC)

    def past(self, since_s: float) -> Iterator[Line]:
        """What was seen from then until the creation. Each prediction comes once, when it was created, as it ended."""
        last_s, since_ms = self._last_s, 0 if since_s == EVER else round((self._epoch_s + since_s) * 1000)
        rows = [row for row in self._store.book.rows if row.finished_ms is None or row.finished_ms >= since_ms]
        count, written = len(self._store.timeline.times(since_s, last_s)), 0
        for number, frame in enumerate(self._store.timeline.between(since_s, last_s)):
            at = self.at(frame.at_s)
            until_ms, begin = round(at.timestamp() * 1000), written
            while written < len(rows) and rows[written].created_ms <= until_ms:
                written += 1
                if written - begin == IN_A_LINE:
                    yield self._rows(rows[begin:written], at)
                    begin = written
            if begin < written:
                yield self._rows(rows[begin:written], at)
            self.share = (number + 1) / count
            if (line := self._frame(frame, at)) is not None:
                yield line
        self._changed |= {row.prediction_id: row for row in rows[written:]}
        self._events += self._taken_over(since_ms)

    def lines(self, now_s: float) -> Iterator[Line]:
        """What is new, and the newest frame, if it is."""
        at = self.at(now_s)
        events, rows = [*self._events], [*self._changed.values()]
        self._events.clear()
        self._changed.clear()
        for begin in range(0, len(events), IN_A_LINE):
            yield EventsLine(at=at, events=events[begin : begin + IN_A_LINE])
        for begin in range(0, len(rows), IN_A_LINE):
            yield self._rows(rows[begin : begin + IN_A_LINE], at)
        frame = self._store.timeline.at(now_s)
        if frame is not None and frame.at_s > self._last_s:
            self._last_s = frame.at_s
            if (line := self._frame(frame, at)) is not None:
                yield line

    def _rows(self, rows: Iterable[Row], at: datetime) -> RowsLine:
        summaries = [row.summary(previews=self._previews) for row in rows]
        self.predictions += len(summaries)
        return RowsLine(at=at, rows=summaries)

    def _frame(self, frame: Frame, at: datetime) -> FrameLine | None:
        """What was known of at least one source, with figures if they were new then."""
        sources = {
            link.source: SourceState(
                error=(link.reason or "away") if link.link is Link.AWAY else None,
                latency_ms=link.latency_ms,
                overview_error=frame.overview_error if link.source is SourceName.API else None,
            )
            for link in frame.links
            if link.link in (Link.UP, Link.AWAY)
        }
        if not sources:
            return None
        source = frame.overview_from
        is_new = frame.overview is not None and frame.overview_at_s != self._overview_at_s and source in sources
        if is_new:
            self._overview_at_s = frame.overview_at_s
        return self._shrinker.shrink(
            FrameLine(
                at=at,
                sources=sources,
                overview_from=source if is_new else None,
                overview=frame.overview if is_new else None,
                health=frame.health,
            )
        )

    def _taken_over(self, since_ms: int) -> Iterator[Event]:
        """What others took over from workers that were lost: the events that said so were not kept."""
        for gone in self._store.departures.known:
            if gone.ending is not Ending.LOST or gone.gone_ms < since_ms:
                continue
            for prediction_id in gone.prediction_ids:
                row = self._store.book.get(prediction_id)
                if row is not None and row.worker != gone.worker.worker_id:
                    yield Event(
                        event_id="",
                        at=at_of(gone.gone_ms),
                        prediction_id=prediction_id,
                        status="lost",
                        attempt=max(row.attempts - 1, 1),
                        worker=gone.worker.worker_id,
                    )
