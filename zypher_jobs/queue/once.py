"""``Once``: requests with an idempotency key are answered once, whatever API process each try of them comes to.

Who begins one has a lease on it, which is renewed while it runs: a process that dies keeps its key for seconds, not for
ever. The prediction's id stays that of the first try, so that what was queued before a process died, or before its
caller went away, is found by the next try and not queued again. Only a synchronous prediction whose process dies under
it is run again.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from typing import Literal, NamedTuple

import msgspec

from zypher_jobs.errors import KeyReused, RedisUnavailable, RequestOutstanding
from zypher_jobs.queue.client import PredictionQueue
from zypher_jobs.queue.connection import redis_errors
from zypher_jobs.queue.ids import new_prediction_id
from zypher_jobs.queue.scripts import source
from zypher_jobs.queue.wire import Script, Wire

LEASE_S = 10.0
"""How long a process that died keeps a key."""
RENEW_S = 3.0
RETRY_AFTER_S = 1.0
"""What a try that comes too early is told to wait."""
ANSWER_BYTES = 1_048_576
"""A larger answer is not kept, only that it was given; the prediction has it."""

_OURS, _OUTSTANDING, _ANSWERED = 1, 2, 3


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """What was answered, and is answered again."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    """Without those of the body's form."""
    body: bytes | None
    """``None`` where it was larger than is kept."""
    body_bytes: int
    prediction_id: str
    media_type: bytes = b"application/json"


class Try(NamedTuple):
    """A request that is to be run now."""

    digest: str
    token: str
    prediction_id: str
    """Which its prediction is to have, or has."""
    is_known: bool
    """Whether there is a prediction of that id: an earlier try's, which did not come to its answer."""


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Answer).decode


class Once:
    """Over a connection of its own. Calls raise ``RedisUnavailable``."""

    def __init__(self, queue: PredictionQueue, *, lifetime_s: int, lease_s: float = LEASE_S) -> None:
        """``lifetime_s``: how long an answer is given again."""
        self._wire = Wire(queue.connection_pool)
        self._begin = Script(self._wire, source("begin_once"))
        self._end = Script(self._wire, source("end_once"))
        self._renew = Script(self._wire, source("renew_once"))
        self._lease_ms, self._lifetime_ms = int(lease_s * 1000), lifetime_s * 1000
        self._held: dict[str, str] = {}
        """Digest → token."""
        self._renewing: asyncio.Task[None] | None = None

    async def begin(self, key: str, *, caller: str, fingerprint: str) -> Try | Answer:
        """Begin a request, or how it was answered. ``caller`` is whose the key is: two may use the same.

        Raises ``RequestOutstanding`` while another try of it runs, ``KeyReused`` where the key is that of a request
        with another fingerprint.
        """
        digest = sha256(f"{caller}\0{key}".encode()).hexdigest()
        token = new_prediction_id()
        with redis_errors():
            state, *rest = await self._begin(args=(digest, fingerprint, token, self._lease_ms, self._lifetime_ms))
        if state == _OURS:
            self._held[digest] = token
            if self._renewing is None:
                self._renewing = asyncio.create_task(self._renew_all())
            return Try(digest, token, rest[0].decode(), rest[1] == 1)
        if state == _ANSWERED:
            return _unpack(rest[0])
        raise RequestOutstanding(retry_after_s=RETRY_AFTER_S) if state == _OUTSTANDING else KeyReused

    async def answer(self, begun: Try, answer: Answer) -> None:
        """Have it answered so from now on."""
        if answer.body is not None and len(answer.body) > ANSWER_BYTES:
            answer = msgspec.structs.replace(answer, body=None)
        await self._finish(begun, "answered", _pack(answer))

    async def leave(self, begun: Try) -> None:
        """End this try without an answer; its prediction goes on, and the next try finds it."""
        await self._finish(begun, "left")

    async def forget(self, begun: Try) -> None:
        """End this try as if there had been none."""
        await self._finish(begun, "forgotten")

    async def aclose(self) -> None:
        """Close the connection; leases that are held lapse."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.wait([self._renewing])
        await self._wire.aclose()

    async def _finish(self, begun: Try, how: Literal["answered", "left", "forgotten"], answer: bytes = b"") -> None:
        if self._held.get(begun.digest) == begun.token:
            del self._held[begun.digest]
        with redis_errors():
            await self._end(args=(begun.digest, begun.token, how, answer, self._lifetime_ms))

    async def _renew_all(self) -> None:
        """Until nothing is held."""
        try:
            while self._held:
                await asyncio.sleep(min(RENEW_S, self._lease_ms / 3000))
                held = [part for pair in self._held.items() for part in pair]
                with suppress(RedisUnavailable), redis_errors():
                    await self._renew(args=(self._lease_ms, self._lifetime_ms, *held))
        finally:
            self._renewing = None
