"""A whole recording in memory, as the dashboard shows it: any of its times, after a few seconds, not for gigabytes."""

from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from zypher_jobs.contracts.event import Event
from zypher_tui.core.heat import KEPT_MS
from zypher_tui.core.readings import SourceName
from zypher_tui.core.recording import EventsLine, FrameLine, Header, RowsLine, WrongRecording, readings_of
from zypher_tui.core.store import Store
from zypher_tui.sources.replay import Replay

MOST_FRAMES = 6_000
"""Evenly over its time, and those at which a source went away or came back."""
MOST_CHANGES = 6_000


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """It, and what it says; its times are Unix time."""

    path: Path
    header: Header
    store: Store
    first_s: float
    last_s: float
    amiss: str | None
    """What of it could not be read, as sentences."""


def load(path: Path) -> Replayed:
    """Raises ``WrongRecording``."""
    end_s = Replay(path).end_s()
    replay = Replay(path)
    begin_s = replay.header.started_at.timestamp()
    store = Store(keeps_all=True)
    store.book.unfollow(store.heat)  # it would count, and forget, all but the last hour
    is_wanted = _chosen((max(end_s or 0.0, begin_s) - begin_s) / MOST_FRAMES)
    happened: list[Event] = []
    for line in replay.lines(is_wanted):
        if isinstance(line, EventsLine):
            happened += line.events
        elif isinstance(line, RowsLine):
            store.book.fold(line.rows)
            hear(store, happened)
            happened.clear()
        else:
            store.recall(*readings_of(line))
    hear(store, happened)
    _heat_up(store)
    first_s, last_s = store.timeline.first_s, store.timeline.last_s
    if first_s is None or last_s is None:
        raise WrongRecording("There is nothing to show in it: it ends before its first frame.")
    return Replayed(path=path, header=replay.header, store=store, first_s=first_s, last_s=last_s, amiss=replay.amiss)


def _heat_up(store: Store) -> None:
    rows = store.book.rows
    last_ms = max((row.finished_ms or 0 for row in rows), default=0)
    for row in rows:
        if row.finished_ms is not None and row.finished_ms > last_ms - KEPT_MS:
            store.heat.changed(row)
    store.book.follow(store.heat)


def _chosen(apart_s: float) -> Callable[[FrameLine], bool]:
    """Whether a frame is one of those that are kept."""
    due_s, standing, changes = float("-inf"), dict[SourceName, bool](), 0

    def is_wanted(frame: FrameLine) -> bool:
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
