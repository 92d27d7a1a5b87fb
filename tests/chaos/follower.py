"""Reads the stream of events while it is written: it is bounded, and the run is long."""

import asyncio
from collections import defaultdict

import msgspec
from redis.exceptions import RedisError

from tests.chaos.stack import Stack
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.queue import keys

AT_ONCE = 5_000
TERMINAL = {status for status in Status if status.is_terminal}

_decode = msgspec.msgpack.Decoder(list[tuple[str, str, str, int, str]]).decode


class Seen(msgspec.Struct, frozen=True):
    """One event of one prediction."""

    entry: bytes
    """The id of what it was written with."""
    status: str
    attempt: int
    worker: str

    @property
    def unix_s(self) -> float:
        """When, by the server's clock."""
        return int(self.entry.partition(b"-")[0]) / 1000


class Follower:
    """What happened to each prediction, as far as Redis ever said it; some of it Redis may have lost since."""

    def __init__(self, stack: Stack) -> None:
        self.seen: dict[str, list[Seen]] = defaultdict(list)
        self._client = stack.client
        self._last = b"0"
        self._kept: set[bytes] = set()
        self._oldest_kept = (0, 0)

    async def run(self) -> None:
        """Until canceled."""
        while True:
            try:
                while await self.read() == AT_ONCE:
                    pass
            except (RedisError, OSError):
                pass
            await asyncio.sleep(0.2)

    async def read(self) -> int:
        """What came since the last time; how many entries."""
        entries = await self._client.xrange(keys.EVENTS, min=b"(" + self._last, count=AT_ONCE)
        for entry, fields in entries:
            self._last = entry
            for prediction_id, status, _, attempt, worker in _decode(fields[b"events"]):
                self.seen[prediction_id].append(Seen(entry, status, attempt, worker))
        return len(entries)

    async def finish(self) -> None:
        """Read what is left, and which of all that was read is still there."""
        while await self.read() == AT_ONCE:
            pass
        after, kept = b"-", list[bytes]()
        while entries := await self._client.xrange(keys.EVENTS, min=after, count=AT_ONCE):
            kept += [entry for entry, _ in entries]
            after = b"(" + entries[-1][0]
        self.keep(kept)

    def keep(self, entries: list[bytes]) -> None:
        """These are all that is there, in order."""
        self._kept = set(entries)
        self._oldest_kept = _order(entries[0]) if entries else (0, 0)

    def ends(self, prediction_id: str) -> list[Seen]:
        """Its terminal events that stand."""
        return [one for one in self._terminal(prediction_id) if not self._was_lost(one)]

    def lost_ends(self, prediction_id: str) -> list[Seen]:
        """Its terminal events that Redis lost again when it was killed."""
        return [one for one in self._terminal(prediction_id) if self._was_lost(one)]

    def _terminal(self, prediction_id: str) -> list[Seen]:
        return [one for one in self.seen.get(prediction_id, ()) if one.status in TERMINAL]

    def _was_lost(self, one: Seen) -> bool:
        # what is older than all that is kept was trimmed away
        return one.entry not in self._kept and _order(one.entry) >= self._oldest_kept


def _order(entry: bytes) -> tuple[int, int]:
    ms, _, sequence = entry.partition(b"-")
    return int(ms), int(sequence)
