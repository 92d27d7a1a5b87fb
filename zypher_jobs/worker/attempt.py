"""What one attempt came to, as the finish script wants it."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from zypher_jobs.contracts.prediction import Status
from zypher_jobs.contracts.trace import trace_id_of
from zypher_jobs.errors import ModelError, PredictionFailed, UnknownModel
from zypher_jobs.queue import keys
from zypher_jobs.queue.fingerprints import fingerprint_of
from zypher_jobs.queue.latency import bucket_of
from zypher_jobs.queue.payloads import PREDICT, failure_of, preview_of, serialize
from zypher_jobs.queue.rows import Claim, Ended, Finish

KEEP_FOR_EVER = -1
_DRAINED = "Its worker was told to stop."
TRACEBACK_CHARS = 8_000
"""How much of a traceback a dead letter keeps: its end."""


class JobCall(msgspec.Struct, frozen=True):
    """What an arq job asks for."""

    function: str
    args: Sequence[Any]
    kwargs: dict[str, Any]
    job_try: int | None
    enqueued_at_ms: int


UNKNOWN = "<unknown>"
UNREADABLE = JobCall(UNKNOWN, (), {}, None, 0)


class Attempt:
    """One claimed prediction from its start to its end; ``succeeded``, ``failed``, ``handed_back`` report it."""

    def __init__(self, claim: Claim, *, now_ms: int) -> None:
        """``now_ms`` is the server's clock at the claim."""
        self.claim = claim
        self.task: asyncio.Task[None] | None = None
        self.timed_out = False
        self.call = UNREADABLE
        self.number = claim.attempt
        self.result_ttl_ms = 0
        self.ctx: dict[Any, Any] = {}
        """What the arq function was given; ``predict`` leaves in it which version ran, and how long it took to load."""
        self.claimed_at_ms = now_ms
        self._started_s = time.perf_counter()

    def succeeded(self, output: Any) -> Finish:
        """It has an output; one that cannot be kept as MessagePack is a failure."""
        try:
            result = self._result(success=True, result=output)
        except (TypeError, OverflowError, ValueError) as error:
            return self.failed(ModelError(f"The output cannot be kept: {error}."))
        preview, size = preview_of(output)
        return Finish(self._ended(Status.SUCCEEDED, output_preview=preview, output_bytes=size), result)

    def failed(self, error: BaseException, status: Status = Status.FAILED) -> Finish:
        """It ended for good without an output."""
        failure = failure_of(error)
        kept = error if isinstance(error, asyncio.CancelledError) else failure
        is_dead = status is Status.FAILED
        if is_dead and self.result_ttl_ms >= 0:
            self.result_ttl_ms = max(self.result_ttl_ms, keys.DEAD_TTL_MS)  # a replay needs the input
        ended = self._ended(
            status,
            error_code=failure.code,
            error_message=failure.message,
            error_traceback=failure.traceback[-TRACEBACK_CHARS:],
            fingerprint=fingerprint_of(failure),
            is_dead=is_dead,
        )
        return Finish(ended, self._result(success=False, result=kept))

    def handed_back(self, *, defer_ms: int = 0, counts: bool = False, why: BaseException | None = None) -> Finish:
        """It goes back to the queue; whether the attempt counts against the limit is the caller's to say."""
        claim = self.claim
        failure = PredictionFailed(_DRAINED, code="handed_back") if why is None else failure_of(why)
        return Finish(
            Ended(
                *(claim.prediction_id, claim.queue, claim.token, claim.attempt, Status.QUEUED),
                error_code=failure.code,
                error_message=failure.message,
                defer_ms=defer_ms,
                counts_as_attempt=counts,
            )
        )

    def time_out(self) -> None:
        """Cancel it because it ran too long."""
        if self.task is not None:
            self.timed_out = True
            self.task.cancel()

    @property
    def _model(self) -> str:
        """A prediction's model is its job's first argument; another arq function counts under its own name.

        Names of models that there are not are one: counts have no lifetime.
        """
        args = self.call.args
        return str(args[0]) if self.call.function == PREDICT and args else self.call.function

    @property
    def _other_version(self) -> str:
        """The one that ran, where it is not the one that was asked for."""
        version = self.ctx.get("version", "")
        return "" if version == self.call.kwargs.get("version") else version

    @property
    def trace_id(self) -> str:
        """Of its caller's trace; empty: there is none."""
        return trace_id_of(str(self.call.kwargs.get("trace", ""))) or ""

    @property
    def run_s(self) -> float:
        """Since the claim."""
        return time.perf_counter() - self._started_s

    def _ended(self, status: Status, *, error_code: str = "", **what: Any) -> Ended:
        created_at_ms = self.claim.created_at_ms or self.call.enqueued_at_ms or self.claimed_at_ms
        wait_ms = max(0, self.claimed_at_ms - created_at_ms)
        run_us = round(self.run_s * 1_000_000)
        return Ended(
            *(self.claim.prediction_id, self.claim.queue, self.claim.token, self.claim.attempt, status),
            model=UNKNOWN if error_code == UnknownModel.code else self._model,
            error_code=error_code,
            result_ttl_ms=self.result_ttl_ms,
            wait_bucket=bucket_of(wait_ms),
            wait_us=wait_ms * 1000,
            run_bucket=bucket_of(run_us / 1000),
            run_us=run_us,
            total_bucket=bucket_of(wait_ms + run_us / 1000),
            started_at_ms=self.claimed_at_ms,
            version=self._other_version,
            load_us=round(self.ctx.get("load_ms", 0) * 1000),
            **what,
        )

    def _result(self, *, success: bool, result: Any) -> bytes:
        """arq's result, as ``Job.result()`` reads it."""
        call = self.call
        finished_at_ms = self.claimed_at_ms + round(self.run_s * 1000)
        return serialize(
            {
                "t": self.number,
                "f": call.function,
                "a": call.args,
                "k": call.kwargs,
                "et": call.enqueued_at_ms,
                "s": success,
                "r": result,
                "st": self.claimed_at_ms,
                "ft": finished_at_ms,
                "q": self.claim.queue,
                "id": self.claim.prediction_id,
            }
        )
