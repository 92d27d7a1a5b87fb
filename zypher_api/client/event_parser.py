"""Bytes of an event stream → events (WHATWG HTML §9.2.6)."""

from typing import Any

import msgspec

from zypher_api.client.answers import decoded


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What a prediction says while it runs; docs/models/streaming.md has them all."""

    kind: str
    """``status``, ``start``, ``progress``, ``log``, ``output``, ``gap``, or ``end``, the last one."""
    data: Any
    id: str = ""
    """Where it stands; a stream resumes behind it. Not every event has one."""


class EventParser:
    """Takes the bytes as they come; heartbeats are comments, and give nothing."""

    def __init__(self) -> None:
        self._rest = b""
        self._fields: dict[str, str] = {}

    def feed(self, piece: bytes) -> list[Event]:
        """The events that are whole now."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        events: list[Event] = []
        for line in lines:
            text = line.removesuffix(b"\r").decode("utf-8", "replace")
            if text:
                self._add(text)
                continue
            fields, self._fields = self._fields, {}
            if "data" in fields:
                kind = fields.get("event", "message")
                events.append(Event(kind=kind, data=decoded(fields["data"].encode(), Any), id=fields.get("id", "")))
        return events

    def _add(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data" and "data" in self._fields:
            value = f"{self._fields['data']}\n{value}"
        if name:  # what begins with a colon is a comment
            self._fields[name] = value
