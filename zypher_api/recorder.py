"""``Recorder``: writes down synchronous predictions after they were answered.

A request pays one append. Everything else happens in batches behind it: while Redis is away they wait in a bounded
buffer, of which the oldest give way, and they are written when it is back.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal

import msgspec

from zypher_jobs.contracts.prediction import PREVIEW_CHARS, PredictionFailure, Status, SyncOutcome
from zypher_jobs.contracts.trace import TraceContext
from zypher_jobs.errors import PredictionCanceled, RedisUnavailable

log = logging.getLogger("zypher.api")

MAX_PENDING = 10_000
MAX_PENDING_BYTES = 32 * 1024 * 1024
SMALL_BATCH, LARGE_BATCH = 10, 100
"""Predictions in one round trip, more the more there are: 100 hold this event loop for 1.3 ms, and Redis for 2.7 ms."""
GATHER_S = 0.02
"""How long the first prediction of a batch waits for others."""
MAX_RETRY_S = 2.0
CLOSE_S = 2.0
"""Longest time the last flush may take."""

_PREVIEW_BYTES = 4 * PREVIEW_CHARS


class Answered(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A prediction that was answered in its own request."""

    prediction_id: str
    model: str
    version: str
    input: Any
    body: bytes
    """The input as it came."""
    output: Any = None
    answer: bytes = b""
    """The output as it went."""
    error: PredictionFailure | None = None
    created_at_ms: int
    run_ms: float
    load_ms: float = 0
    caller: str = ""
    trace: TraceContext | None = None


class Recorder:
    """Answered predictions on their way to ``record`` (``PredictionQueue.record_sync``)."""

    def __init__(
        self,
        record: Callable[[Sequence[SyncOutcome]], Awaitable[None]],
        *,
        policy: Literal["all", "errors", "none"],
        process_id: str,
    ) -> None:
        self.dropped = 0
        """Predictions that gave way because Redis was away for too long."""
        self._record = record
        self._policy = policy
        self._process_id = process_id
        self._pending: deque[Answered] = deque()
        self._pending_bytes = 0
        self._something = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def add(self, answered: Answered) -> None:
        """Have it recorded soon."""
        self._pending.append(answered)
        self._pending_bytes += len(answered.body) + len(answered.answer)
        if len(self._pending) > MAX_PENDING or self._pending_bytes > MAX_PENDING_BYTES:
            self._take()
            self.dropped += 1
        self._something.set()

    def start(self) -> None:
        """Begin to record."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Write what is left, for at most ``CLOSE_S``."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        try:
            async with asyncio.timeout(CLOSE_S):
                while self._pending:
                    await self._flush()
        except (TimeoutError, RedisUnavailable):
            log.warning("synchronous predictions left unrecorded", extra={"predictions": len(self._pending)})

    async def _run(self) -> None:
        retry_s = GATHER_S
        while True:
            await self._something.wait()
            await asyncio.sleep(retry_s)
            self._something.clear()
            try:
                while self._pending:
                    await self._flush()
                retry_s = GATHER_S
            except RedisUnavailable:
                self._something.set()
                retry_s = min(retry_s * 2, MAX_RETRY_S)
            except Exception:
                # a batch that cannot be written must not keep later ones from being written
                log.exception("synchronous predictions could not be recorded")

    async def _flush(self) -> None:
        """Write one batch; when Redis is away it goes back to the front."""
        most = min(LARGE_BATCH, max(SMALL_BATCH, len(self._pending) // 4))
        batch = [self._take() for _ in range(min(most, len(self._pending)))]
        try:
            await self._record([self._outcome(answered) for answered in batch])
        except (RedisUnavailable, asyncio.CancelledError):
            self._pending.extendleft(reversed(batch))
            self._pending_bytes += sum(len(a.body) + len(a.answer) for a in batch)
            raise

    def _take(self) -> Answered:
        answered = self._pending.popleft()
        self._pending_bytes -= len(answered.body) + len(answered.answer)
        return answered

    def _outcome(self, answered: Answered) -> SyncOutcome:
        failed = answered.error is not None
        keep = self._policy == "all" or (failed and self._policy == "errors")
        return SyncOutcome(
            prediction_id=answered.prediction_id,
            model=answered.model,
            version=answered.version,
            status=_status(answered.error),
            input=answered.input,
            output=answered.output,
            input_preview=preview(answered.body) if keep else "",
            output_preview=preview(answered.answer) if keep else "",
            input_bytes=len(answered.body),
            output_bytes=len(answered.answer),
            error=answered.error,
            created_at_ms=answered.created_at_ms,
            started_at_ms=answered.created_at_ms,
            run_ms=answered.run_ms,
            load_ms=answered.load_ms,
            worker=self._process_id,
            caller=answered.caller,
            trace="" if answered.trace is None else answered.trace.stored,
            keep_record=keep,
        )


def _status(error: PredictionFailure | None) -> Status:
    if error is None:
        return Status.SUCCEEDED
    return Status.CANCELED if error.code == PredictionCanceled.code else Status.FAILED


def preview(json: bytes) -> str:
    return json[:_PREVIEW_BYTES].decode(errors="ignore")[:PREVIEW_CHARS]
