"""Recordings, small."""

from datetime import timedelta
from pathlib import Path

import msgspec

from tests.tui.facts import NOW, health, overview, reading, summary, worker
from zypher_jobs.contracts.event import Event
from zypher_jobs.contracts.prediction import Status
from zypher_tui.core.readings import Reading, SourceName
from zypher_tui.core.recording import Header, Line
from zypher_tui.core.tape import Tape
from zypher_tui.sources.recording_file import RecordingFile

HEADER = Header(version="0.1.0", started_at=NOW, sources=["api", "redis"])


def recorded(path: Path, *lines: Line) -> Path:
    """A recording with those lines."""
    file = RecordingFile(path, HEADER, overwrite=True, max_bytes=1e9)
    file.write(*lines)
    file.close()
    return path


def taped(tape: Tape, second: int, *readings: Reading) -> list[Line]:
    """What the tape writes at that time."""
    return list(tape.lines(list(readings), NOW + timedelta(seconds=second)))


def an_incident() -> list[Line]:
    """A few seconds: all well with one prediction, the API gone, back again."""
    tape = Tape(previews=True)
    up = reading(SourceName.API, 0, overview=overview(workers=[worker("w")]), health=health())
    away = reading(SourceName.API, 0, error="connection refused", latency_ms=None)
    redis = reading(SourceName.REDIS, 0)
    tape.see([summary("a", input_preview='{"input":"hello"}')])
    lines = taped(tape, 0, up, redis)
    tape.hear([Event(event_id="1-0.1", at=NOW, prediction_id="a", status="succeeded")])
    lines += taped(tape, 1, away, msgspec.structs.replace(redis, overview=overview()))
    tape.see([summary("a", status=Status.SUCCEEDED)])
    return lines + taped(tape, 2, up, redis)
