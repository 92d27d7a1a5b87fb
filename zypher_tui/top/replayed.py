"""What a recording says of one time: everything up to then is folded, as if it had been watched."""

from collections import OrderedDict, deque
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from zypher_jobs.contracts.event import Event
from zypher_jobs.contracts.prediction import PredictionSummary
from zypher_jobs.contracts.stats import Overview
from zypher_tui.core.durations import time_of
from zypher_tui.core.readings import Reading, SourceName
from zypher_tui.core.recording import EventsLine, FrameLine, WrongRecording, readings_of
from zypher_tui.core.rows import as_of, ms_of
from zypher_tui.core.store import Store
from zypher_tui.core.view import View
from zypher_tui.sources.replay import Replay
from zypher_tui.sources.replayed import hear
from zypher_tui.top.asking import LATEST

_LOOKED_BACK = timedelta(seconds=90)
"""What figures are made of."""
_REMEMBERED = 20_000
"""Predictions, and events, among which the newest are looked for."""
_BEYOND = timedelta(seconds=60)
"""A time may be so long after the last frame."""


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """A time of a recording."""

    path: Path
    at: str | None = None
    """As ``core.durations.time_of`` takes it; ``None``: its end."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of one time."""

    readings: list[Reading]
    view: View
    overview: Overview | None
    """With the newest predictions."""
    is_past: bool = False
    amiss: str | None = None
    """What is wrong with the recording."""


class _Window:
    """What is needed of the frames: those of the last while, and of earlier ones what can still be seen."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._frames: deque[FrameLine] = deque()
        self._standing: dict[SourceName, bool] = {}

    def add(self, frame: FrameLine) -> None:
        """The next one."""
        self._frames.append(frame)
        while self._frames[0].at < frame.at - _LOOKED_BACK:
            old = self._frames.popleft()
            standing = {source: state.error is None for source, state in old.sources.items()}
            is_last_with_figures = old.overview is not None and self._frames[0].overview is None
            if standing != self._standing or is_last_with_figures:
                self._store.recall(*readings_of(old))
            self._standing = standing

    def close(self) -> FrameLine | None:
        """Take all in; returns the last one."""
        for frame in self._frames:
            self._store.recall(*readings_of(frame))
        return self._frames[-1] if self._frames else None


def seen_at(moment: Moment) -> Seen:
    """The last frame that is not later. Raises ``WrongRecording``, ``WrongTime``."""
    replay = Replay(moment.path)
    at = None if moment.at is None else time_of(moment.at, replay.header.started_at)
    store = Store(expected=tuple(SourceName))
    window = _Window(store)
    rows: OrderedDict[str, PredictionSummary] = OrderedDict()
    events: deque[Event] = deque(maxlen=_REMEMBERED)
    is_passed = False
    for line in replay.lines():
        if at is not None and line.at > at:
            is_passed = True
            break
        if isinstance(line, FrameLine):
            window.add(line)
        elif isinstance(line, EventsLine):
            events += line.events
        else:
            for row in line.rows:
                rows[row.prediction_id] = row
                rows.move_to_end(row.prediction_id)
            while len(rows) > _REMEMBERED:
                rows.popitem(last=False)
    frame = window.close()
    if frame is None:
        raise WrongRecording(f"It shows nothing of that time: it begins at {replay.header.started_at:%FT%TZ}.")
    if at is not None and not is_passed and at > frame.at + _BEYOND:
        raise WrongRecording(f"It shows nothing of that time: it ends at {frame.at:%FT%TZ}.")
    now_ms = store.view(frame.at.timestamp()).now_ms or ms_of(frame.at)
    latest = [as_of(row, now_ms) for row in sorted(rows.values(), key=_created_at, reverse=True)[:LATEST]]
    store.book.fold(latest)
    hear(store, events)
    return Seen(
        readings=readings_of(frame),
        view=store.view(frame.at.timestamp()),
        overview=frame.overview and msgspec.structs.replace(frame.overview, latest=latest),
        is_past=True,
        amiss=replay.amiss,
    )


def _created_at(row: PredictionSummary) -> datetime:
    return row.created_at
