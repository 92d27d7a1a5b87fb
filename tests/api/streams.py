"""Reads server-sent events, as a client does."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec


class Event(msgspec.Struct, frozen=True):
    """One event."""

    kind: str
    data: Any
    event_id: str = ""


class Events:
    """The events of one open answer."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def next(self) -> Event | None:
        """The next one; ``None``: there is no more. Comments are passed over."""
        fields: dict[str, str] = {}
        async for line in self._lines:
            if not line and "data" in fields:
                return Event(fields["event"], msgspec.json.decode(fields["data"]), fields.get("id", ""))
            name, _, value = line.partition(": ")
            fields[name] = value
        return None

    async def until(self, kind: str) -> list[Event]:
        """All up to the first of a kind, that one included."""
        events: list[Event] = []
        while (event := await self.next()) is not None:
            events.append(event)
            if event.kind == kind:
                return events
        raise AssertionError(f"no {kind} in {events}")

    async def rest(self) -> list[Event]:
        """All that comes."""
        events: list[Event] = []
        while (event := await self.next()) is not None:
            events.append(event)
        return events


@asynccontextmanager
async def opened(client: httpx.AsyncClient, method: str, path: str, **options: Any) -> AsyncGenerator[Events]:
    """The events of a request, which must be answered with some."""
    headers = {"Accept": "text/event-stream", **options.pop("headers", {})}
    async with client.stream(method, path, headers=headers, **options) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"] == "text/event-stream"
        yield Events(answer)


def chunks(events: list[Event]) -> list[Any]:
    """The pieces of the output."""
    return [event.data for event in events if event.kind == "output"]


def kinds(events: list[Event]) -> list[str]:
    """Of each."""
    return [event.kind for event in events]
