"""Server-sent events → batches of ``Event``."""

import msgspec

from zypher_jobs.contracts.event import Event
from zypher_tui.core.cleaning import cleaned

MAX_BUFFER = 1_000_000
"""Bytes without an end of an event; a server that sends more is none of ours."""


class EventParser:
    """Takes bytes as they come."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that are whole by now; raises ``ValueError`` for what is no stream of events."""
        *whole, self._rest = (self._rest + chunk).split(b"\n\n")
        if len(self._rest) > MAX_BUFFER:
            raise ValueError("it sends something else than events")
        return [event for text in whole if (event := _event(text)) is not None]


class _Data(msgspec.Struct):
    at: str
    prediction_id: str
    model: str = ""
    attempt: int = 0
    worker: str = ""


_decode = msgspec.json.Decoder(_Data).decode


def _event(text: bytes) -> Event | None:
    fields = dict[bytes, bytes]()
    for each in text.split(b"\n"):
        name, _, value = each.partition(b":")
        if name:
            fields[name] = value.removeprefix(b" ")
    if b"data" not in fields:
        return None  # a comment that keeps the connection open
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
