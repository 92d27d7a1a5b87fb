"""The stories of running predictions in Redis: what they said, as entries that a reader resumes behind.

An entry's id is when its attempt began (Unix ms, the server's clock) and its number in that attempt.
"""

import re
from collections.abc import Sequence

import msgspec

from zypher_jobs.contracts.prediction import Status
from zypher_jobs.errors import UnknownPrediction
from zypher_jobs.queue.connection import redis_errors
from zypher_jobs.queue.scripts import source
from zypher_jobs.queue.wire import Script, Wire

BEGINNING = "0-0"
"""Behind it stands all that is kept."""
ENTRIES_AT_ONCE = 500
"""In one read; the story's bound is that of their bytes."""

_ID = re.compile(r"(\d{1,19})-(\d{1,19})")
_encode = msgspec.msgpack.Encoder().encode


class Said(msgspec.Struct, frozen=True, array_like=True):
    """What one attempt said meanwhile, in the order that ``narrate.lua`` reads."""

    prediction_id: str
    attempt: int
    began_at_ms: int
    number: int
    """Of the first entry."""
    entries: list[tuple[str, str]]
    """Kind, JSON."""
    progress: str = ""
    progress_message: str = ""
    log: str = ""
    """The last lines, for the record."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One thing that was said."""

    began_at_ms: int
    number: int
    attempt: int
    kind: str
    data: bytes
    """JSON."""

    @property
    def entry_id(self) -> str:
        """Where it stands."""
        return f"{self.began_at_ms}-{self.number}"


class Seen(msgspec.Struct, frozen=True):
    """A prediction as one read found it."""

    status: Status
    attempt: int
    has_ended: bool
    entries: list[Entry]
    has_more: bool
    """Whether further entries may follow at once."""


def is_entry_id(text: str) -> bool:
    """Whether a story may be read behind it."""
    return _ID.fullmatch(text) is not None


class Stories:
    """Over one wire. The calls raise ``RedisUnavailable``."""

    def __init__(self, wire: Wire) -> None:
        self._narrate = Script(wire, source("narrate"))
        self._watch = Script(wire, source("watch"))

    async def tell(self, said: Sequence[Said], *, lifetime_ms: int) -> list[bool]:
        """Append; for each whether it was, ``False``: its attempt is over."""
        with redis_errors():
            return [each == 1 for each in await self._narrate(args=(lifetime_ms, _encode(said)))]

    async def read(self, prediction_id: str, *, after: str, client_id: str) -> Seen:
        """What there is behind an entry; ``client_id`` is told of what comes. Raises ``UnknownPrediction``."""
        with redis_errors():
            status, attempt, ended, rows = await self._watch(args=(prediction_id, client_id, after, ENTRIES_AT_ONCE))
        if status is None:
            raise UnknownPrediction(prediction_id)
        entries = [_entry(name, fields) for name, fields in rows]
        return Seen(Status(status.decode()), attempt, ended == 1, entries, len(entries) == ENTRIES_AT_ONCE)


def _entry(name: bytes, fields: Sequence[bytes]) -> Entry:
    began, _, number = name.partition(b"-")
    _, attempt, _, kind, _, data = fields
    return Entry(int(began), int(number), int(attempt), kind.decode(), data)
