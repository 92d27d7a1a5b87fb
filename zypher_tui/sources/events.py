"""Server-sent events → batches of ``Event``, or of what one prediction tells."""

from datetime import datetime
from typing import Any

import msgspec

from zypher_jobs.contracts.event import Event
from zypher_tui.core.cleaning import clean, cleaned
from zypher_tui.core.story import Told

MAX_BUFFER = 1_000_000
"""Bytes without an end of an event; a server that sends more is none of ours."""
MAX_STORY_BUFFER = 64_000_000
"""The last event of a prediction brings its output."""
TOLD_CHARS = 2_000
"""Of one line, or one part of an output."""

Fields = dict[bytes, bytes]


class _Frames:
    """Takes bytes as they come, gives the fields of whole events."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._parts: list[bytes] = []
        self._held = 0

    def feed(self, chunk: bytes) -> list[Fields]:
        """Raises ``ValueError`` for what is no stream of events."""
        tail = self._parts[-1][-1:] if self._parts else b""
        self._parts.append(chunk)
        self._held += len(chunk)
        if b"\n\n" not in tail + chunk:
            if self._held > self._most_bytes:
                raise ValueError("it sends something else than events")
            return []
        *whole, rest = b"".join(self._parts).split(b"\n\n")
        self._parts, self._held = ([rest] if rest else []), len(rest)
        return [fields for text in whole if b"data" in (fields := _fields(text))]


def _fields(text: bytes) -> Fields:
    fields = Fields()
    for each in text.split(b"\n"):
        name, _, value = each.partition(b":")
        if name:
            fields[name] = value.removeprefix(b" ")
    return fields  # without data: a comment that keeps the connection open


class EventParser:
    """Takes bytes as they come."""

    def __init__(self) -> None:
        self._frames = _Frames(MAX_BUFFER)

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that are whole by now; raises ``ValueError`` for what is no stream of events."""
        return [_event(fields) for fields in self._frames.feed(chunk)]


class StoryParser:
    """The same for the events of one prediction."""

    def __init__(self) -> None:
        self._frames = _Frames(MAX_STORY_BUFFER)

    def feed(self, chunk: bytes) -> list[Told]:
        """What was told by now; raises ``ValueError`` for what is no stream of events."""
        return [_told(fields) for fields in self._frames.feed(chunk)]


class _Data(msgspec.Struct):
    at: str
    prediction_id: str
    model: str = ""
    attempt: int = 0
    worker: str = ""


class _Progress(msgspec.Struct):
    progress: float
    message: str | None = None
    at: datetime | None = None
    """An older server does not say."""


class _Gap(msgspec.Struct):
    missing: int


class _Line(msgspec.Struct):
    line: str
    at: datetime | None = None


_decode = msgspec.json.Decoder(_Data).decode
_decode_progress = msgspec.json.Decoder(_Progress).decode
_decode_gap = msgspec.json.Decoder(_Gap).decode
_decode_line = msgspec.json.Decoder(_Line).decode


def _told(fields: Fields) -> Told:
    kind, data = fields.get(b"event", b"").decode(), fields[b"data"]
    if kind == "progress":
        progress = _decode_progress(data)
        text = clean((progress.message or "")[:TOLD_CHARS])
        return Told(kind=kind, progress=progress.progress, text=text, at=progress.at)
    if kind == "log":
        line = _decode_line(data)
        return Told(kind=kind, text=clean(line.line[:TOLD_CHARS]), at=line.at)
    if kind == "gap":
        return Told(kind=kind, missing=_decode_gap(data).missing)
    if kind == "output":
        part: Any = msgspec.json.decode(data)
        return Told(kind=kind, text=clean((part if isinstance(part, str) else data.decode())[:TOLD_CHARS]))
    return Told(kind=clean(kind))


def _event(fields: Fields) -> Event:
    data = _decode(fields[b"data"])
    event = {
        "event_id": fields.get(b"id", b"").decode(),
        "status": fields.get(b"event", b"").decode(),
        "at": data.at,
        "prediction_id": data.prediction_id,
        "model": data.model,
        "attempt": data.attempt,
        "worker": data.worker,
    }
    return cleaned(msgspec.convert(event, Event))
