"""What a recording says of one time: everything up to then is folded, as if it had been watched."""

from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from zypher_jobs.contracts.prediction import PredictionSummary
from zypher_jobs.contracts.stats import Overview
from zypher_tui.core.durations import time_of
from zypher_tui.core.readings import Reading, SourceName
from zypher_tui.core.recording import FrameLine, RowsLine, WrongRecording, readings_of
from zypher_tui.core.store import Store
from zypher_tui.core.view import View
from zypher_tui.sources.replay import Replay
from zypher_tui.top.asking import LATEST

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


def seen_at(moment: Moment) -> Seen:
    """The last frame that is not later. Raises ``WrongRecording``, ``WrongTime``."""
    replay = Replay(moment.path)
    at = None if moment.at is None else time_of(moment.at, replay.header.started_at)
    store = Store(expected=tuple(SourceName))
    latest: list[PredictionSummary] = []
    frame: FrameLine | None = None
    is_passed = False
    for line in replay.lines():
        if at is not None and line.at > at:
            is_passed = True
            break
        if isinstance(line, FrameLine):
            frame = line
            store.fold(*readings_of(line))
        elif isinstance(line, RowsLine):
            store.book.fold(line.rows)
            latest = _newest(line.rows, latest)
        else:
            store.hear(line.events)
    if frame is None:
        raise WrongRecording(f"It shows nothing of that time: it begins at {replay.header.started_at:%FT%TZ}.")
    if at is not None and not is_passed and at > frame.at + _BEYOND:
        raise WrongRecording(f"It shows nothing of that time: it ends at {frame.at:%FT%TZ}.")
    overview = frame.overview and msgspec.structs.replace(frame.overview, latest=latest)
    return Seen(
        readings=readings_of(frame),
        view=store.view(frame.at.timestamp()),
        overview=overview,
        is_past=True,
        amiss=replay.amiss,
    )


def _newest(rows: list[PredictionSummary], others: list[PredictionSummary]) -> list[PredictionSummary]:
    """The newest of both; of one that is in both, what ``rows`` say."""
    found = {row.prediction_id: row for row in (*others, *rows)}
    return sorted(found.values(), key=_created_at, reverse=True)[:LATEST]


def _created_at(row: PredictionSummary) -> datetime:
    return row.created_at
