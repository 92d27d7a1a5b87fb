"""``ResultCache``: outputs of one version of a model, kept for the same input, and one run for all who ask meanwhile.

Off unless the model sets ``cache_s``; a model without it has none of this in its way. What was computed answers the
same input again until its lifetime ends, or until newer outputs need its memory. Failures are not kept, but whoever
waited for the same run is told the same. A run belongs to all who wait for it: it is canceled when the last of them is
gone, and who joined one that ended at its first caller's deadline begins another.

The same input is what has the same canonical bytes: dictionaries in any order, but 1 is not 1.0, and neither NaN nor
a time zone is lost. What is kept is the output itself, so a model must not change one that it has returned.
"""

import asyncio
import hashlib
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec
import msgspec.inspect

from zypher_jobs.errors import PredictionTimeout
from zypher_jobs.models.call import CacheUse, Call, Listener

Run = Callable[[Call], Awaitable[Any]]

ENTRY_BYTES = 500
"""Of an entry without its output, about."""
BYTES_FOR_BYTE = 4
"""Of memory for each byte of MessagePack: a float is 9 there, and 32 in a list."""

_pack = msgspec.msgpack.Encoder(order="deterministic").encode
_json = msgspec.json.Encoder(order="deterministic").encode


class _Entry(NamedTuple):
    output: Any
    until_s: float
    size: int


class _Flight:
    """A run that is under way, and the ``Listener`` that tells all who wait for it what it says."""

    __slots__ = ("call", "listeners", "task", "waiters")

    def __init__(self, call: Call, run: Run) -> None:
        self.waiters: dict[asyncio.Future[Any], Listener] = {}
        self.listeners: tuple[Listener, ...] = ()
        """Of the waiters; replaced, never changed: other threads read it."""
        # a call of its own: the first caller's may end before the others'
        self.call = Call(
            call.input,
            timeout_s=call.timeout_s,
            prediction_id=call.prediction_id,
            attempt=call.attempt,
            listener=self,
            longest_wait_s=call.longest_wait_s,
            trace=call.trace,
        )
        self.call.deadline_s = call.deadline_s
        self.task = asyncio.ensure_future(run(self.call))

    def progress(self, fraction: float, message: str) -> None:
        """See ``Listener``."""
        for listener in self.listeners:
            listener.progress(fraction, message)

    def log(self, line: str) -> None:
        """See ``Listener``."""
        for listener in self.listeners:
            listener.log(line)

    def chunk(self, output: Any) -> None:
        """Never called: what streams is not cached."""

    def join(self, waiter: asyncio.Future[Any], listener: Listener) -> None:
        """One more waits for it."""
        self.waiters[waiter] = listener
        self.listeners = tuple(self.waiters.values())

    def leave(self, waiter: asyncio.Future[Any]) -> None:
        """One does not any more."""
        self.waiters.pop(waiter, None)
        self.listeners = tuple(self.waiters.values())


class ResultCache:
    """Stands before ``run``; to be used on one event loop."""

    __slots__ = ("_entries", "_flights", "_keeps_zones", "_lifetime_s", "_most_bytes", "_name", "_run", "size", "uses")

    def __init__(self, run: Run, *, name: str, input_type: Any, lifetime_s: float, most_bytes: int) -> None:
        self.uses: Counter[CacheUse] = Counter()
        """How often what happened."""
        self.size = 0
        """Bytes in memory, about."""
        self._run = run
        self._name = name
        self._lifetime_s = lifetime_s
        self._most_bytes = most_bytes
        self._keeps_zones = "DateTimeType" in repr(msgspec.inspect.type_info(input_type))
        """Whether an input may hold a time: MessagePack writes all of them in UTC."""
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        """The least recently used one first."""
        self._flights: dict[bytes, _Flight] = {}

    def __len__(self) -> int:
        """Outputs that are kept."""
        return len(self._entries)

    def clear(self) -> None:
        """Forget all outputs."""
        self._entries.clear()
        self.size = 0

    async def run(self, call: Call) -> Any:
        """The output, kept or new; ``call.cache_use`` says which. Raises what the model's run raises."""
        try:
            key = self._key(call.input)
        except (TypeError, ValueError, RecursionError):  # no bytes can tell it from others
            return await self._run(call)
        if (entry := self._find(key)) is not None:
            self._note(call, "hit")
            return entry.output
        flight = self._flights.get(key)
        self._note(call, "miss" if flight is None else "shared")
        while True:
            flight = self._flights.get(key) or self._fly(key, call)
            try:
                return await self._wait(key, flight, call)
            except PredictionTimeout:
                if flight.call.deadline_s >= call.deadline_s:
                    raise
                # that was the deadline of who began it

    def _note(self, call: Call, use: CacheUse) -> None:
        call.cache_use = use
        self.uses[use] += 1

    def _key(self, input: Any) -> bytes:
        packed = _pack(input)
        if self._keeps_zones:
            packed += _json(input)
        return hashlib.sha256(packed).digest()

    def _find(self, key: bytes) -> _Entry | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.until_s <= time.monotonic():
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry

    def _fly(self, key: bytes, call: Call) -> _Flight:
        self._flights[key] = flight = _Flight(call, self._run)
        flight.task.add_done_callback(lambda task: self._land(key, flight, task))
        return flight

    async def _wait(self, key: bytes, flight: _Flight, call: Call) -> Any:
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Any] = loop.create_future()
        timer = loop.call_later(call.remaining_s, _fail, waiter, call.timed_out(self._name))
        flight.join(waiter, call.listener)
        try:
            return await waiter
        finally:
            timer.cancel()
            flight.leave(waiter)
            if not flight.waiters and self._flights.get(key) is flight:
                del self._flights[key]
                flight.task.cancel()

    def _land(self, key: bytes, flight: _Flight, task: asyncio.Future[Any]) -> None:
        """Its run has ended: tell all who wait."""
        if self._flights.get(key) is flight:
            del self._flights[key]
        waiters = list(flight.waiters)
        if task.cancelled():
            for waiter in waiters:
                waiter.cancel()
        elif (error := task.exception()) is not None:
            for waiter in waiters:
                _fail(waiter, error)
        else:
            output = task.result()
            self._keep(key, output)
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(output)

    def _keep(self, key: bytes, output: Any) -> None:
        try:
            size = ENTRY_BYTES + BYTES_FOR_BYTE * len(_pack(output))
        except (TypeError, ValueError, RecursionError):  # nor could it be sent: its caller is told so each time
            return
        if size > self._most_bytes:
            return
        self._drop(key)
        self._entries[key] = _Entry(output, time.monotonic() + self._lifetime_s, size)
        self.size += size
        while self.size > self._most_bytes:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.size -= entry.size


def _fail(waiter: asyncio.Future[Any], error: BaseException) -> None:
    if not waiter.done():
        waiter.set_exception(error)
