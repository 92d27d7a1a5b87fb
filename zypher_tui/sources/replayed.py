"""A whole recording in memory, as the dashboard shows it: any of its times, after a few seconds, not for gigabytes."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from zypher_jobs.contracts.event import Event
from zypher_jobs.contracts.prediction import PredictionSummary
from zypher_tui.core.heat import KEPT_MS
from zypher_tui.core.readings import SourceName
from zypher_tui.core.recording import (
    EventsLine,
    FrameLine,
    Glance,
    Header,
    Line,
    RowsLine,
    WrongRecording,
    readings_of,
)
from zypher_tui.core.rows import Row
from zypher_tui.core.store import Store
from zypher_tui.sources.replay import Replay

MOST_FRAMES = 6_000
"""Evenly over its time, and those at which a source went away or came back."""
MOST_CHANGES = 6_000
MOST_WAITING = 5_000
"""Predictions that have not ended; more of them take more memory here than in the book."""
_AT_ONCE = 20
"""Lines that are taken in between two looks at the clock."""


class Replayed(msgspec.Struct, kw_only=True):
    """It, and what it says, as far as it is read; its times are Unix time."""

    path: Path
    header: Header
    store: Store
    first_s: float
    last_s: float
    amiss: str | None = None
    """What of it could not be read, as sentences, once it was read."""
    share: float = 1.0
    """How much of the file is read."""


class Loading:
    """Reads it in steps, so that a screen can show what is read so far. Raises ``WrongRecording``, in steps too."""

    def __init__(self, path: Path) -> None:
        end_s = Replay(path).end_s()
        self._replay = Replay(path)
        header = self._replay.header
        begin_s = header.started_at.timestamp()
        store = Store(keeps_all=True)
        store.book.unfollow(store.heat)  # it would count, and forget, all but the last hour
        self._arrivals = _Arrivals(store)
        self._workers: list[str] = []
        self._lines = self._replay.lines(_chosen((max(end_s or 0.0, begin_s) - begin_s) / MOST_FRAMES))
        self.replayed = Replayed(path=path, header=header, store=store, first_s=begin_s, last_s=begin_s, share=0.0)

    def step(self, seconds: float) -> bool:
        """Go on for about so long; whether there is more."""
        until_s = time.monotonic() + seconds
        replayed = self.replayed
        if replayed.share == 1.0:
            return False
        for number, line in enumerate(self._lines):
            self._take(line)
            if number % _AT_ONCE == _AT_ONCE - 1 and time.monotonic() > until_s:
                replayed.share = min(self._replay.share, 0.99)
                self._tell_times()
                return True
        self._arrivals.settle()
        _heat_up(replayed.store)
        self._tell_times()
        if replayed.store.timeline.first_s is None:
            raise WrongRecording("There is nothing to show in it: it ends before its first frame.")
        replayed.amiss, replayed.share = self._replay.amiss, 1.0
        return False

    def _take(self, line: Line) -> None:
        if isinstance(line, EventsLine):
            self._arrivals.happened += line.events
        elif isinstance(line, RowsLine):
            self._arrivals.fold(line.rows)
        else:
            workers = [worker.worker_id for worker in line.overview.workers] if line.overview else self._workers
            if workers != self._workers:  # of one that is gone, what it ran is looked for
                self._workers = workers
                self._arrivals.settle()
            self.replayed.store.recall(*readings_of(line))

    def _tell_times(self) -> None:
        timeline = self.replayed.store.timeline
        if timeline.first_s is not None and timeline.last_s is not None:
            self.replayed.first_s, self.replayed.last_s = timeline.first_s, timeline.last_s


class _Arrivals:
    """Predictions on their way into the book: most enter it once, as they ended."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: dict[str, PredictionSummary] = {}
        self.happened: list[Event] = []
        """Once the rows that were written with them are there: most are of predictions whose end those say."""

    def fold(self, rows: Iterable[PredictionSummary]) -> None:
        """Take in what was new."""
        book = self._store.book
        for row in rows:
            if row.status.is_terminal:
                self._waiting.pop(row.prediction_id, None)
                book.put(Row.of(row))
            elif book.get(row.prediction_id) is None:
                self._waiting[row.prediction_id] = row
            else:
                book.put(Row.of(row))
        self._hear()
        if len(self._waiting) > MOST_WAITING:
            self.settle()

    def settle(self) -> None:
        """Bring all of them into the book."""
        self._store.book.fold(self._waiting.values())
        self._waiting.clear()
        self._hear()

    def _hear(self) -> None:
        happened, self.happened = self.happened, []
        for event in happened:
            row = self._waiting.get(event.prediction_id)
            if row is not None:
                if event.status in _UNDER_WAY and event.attempt <= row.attempts:
                    continue  # the row says so too
                self._store.book.put(Row.of(self._waiting.pop(event.prediction_id)))
            hear(self._store, [event])


_UNDER_WAY = frozenset(("queued", "running"))


def load(path: Path) -> Replayed:
    """All of it. Raises ``WrongRecording``."""
    loading = Loading(path)
    while loading.step(60.0):
        pass
    return loading.replayed


def _heat_up(store: Store) -> None:
    rows = store.book.rows
    last_ms = max((row.finished_ms or 0 for row in rows), default=0)
    for row in rows:
        if row.finished_ms is not None and row.finished_ms > last_ms - KEPT_MS:
            store.heat.changed(row)
    store.book.follow(store.heat)


def _chosen(apart_s: float) -> Callable[[FrameLine | Glance], bool]:
    """Whether a frame is one of those that are kept."""
    due_s, standing, changes = float("-inf"), dict[SourceName, bool](), 0

    def is_wanted(frame: FrameLine | Glance) -> bool:
        nonlocal due_s, standing, changes
        at_s = frame.at.timestamp()
        now = {source: state.error is None for source, state in frame.sources.items()}
        is_other = now != standing and changes < MOST_CHANGES
        changes += is_other
        standing = now
        if at_s < due_s and not is_other:
            return False
        due_s = at_s + apart_s * 0.99
        return True

    return is_wanted


def hear(store: Store, events: Iterable[Event]) -> None:
    """Once the rows that were written with them are there: most are of predictions whose end those say."""
    for event in events:
        row = store.book.get(event.prediction_id)
        if row is None or not row.status.is_terminal or event.status == "lost":
            store.hear([event])
