"""What Redis knows in the end: each prediction's record, its lists and its result; and what it still holds as open."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from tests.chaos.stack import Stack
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.queue import deserialize, keys

AT_ONCE = 2_000
_FIELDS = ("status", "error_code", "attempts", "worker", "input_preview")


class Known(msgspec.Struct, kw_only=True):
    """One prediction as Redis has it."""

    prediction_id: str
    status: Status | None = None
    """``None``: it has no record."""
    code: str = ""
    attempts: int = 0
    worker: str = ""
    key: int | None = None
    """Which work it was, from the beginning of its input."""
    lists: list[str] = []
    """The lists of statuses that it stands in."""
    output: Any = None
    """Of arq's result, if that is a success."""

    @property
    def is_terminal(self) -> bool:
        """Whether it has ended."""
        return self.status is not None and self.status.is_terminal

    @property
    def how(self) -> str:
        """Its status, and its error's code."""
        return f"{self.status}: {self.code}" if self.code else str(self.status)


async def read_records(client: Any, prediction_ids: Sequence[str]) -> dict[str, Known]:
    """Of all of these."""
    found: dict[str, Known] = {}
    for start in range(0, len(prediction_ids), AT_ONCE):
        chunk = prediction_ids[start : start + AT_ONCE]
        async with client.pipeline(transaction=False) as pipe:
            for prediction_id in chunk:
                pipe.hmget(keys.record(prediction_id), *_FIELDS)
                pipe.get(keys.result(prediction_id))
            for status in Status:
                pipe.zmscore(keys.listed(status), list(chunk))
            answers: list[Any] = await pipe.execute()
        places = dict(zip(Status, answers[-len(Status) :], strict=True))
        for number, prediction_id in enumerate(chunk):
            known = _known(prediction_id, answers[2 * number], answers[2 * number + 1])
            known.lists = [str(status) for status, scores in places.items() if scores[number] is not None]
            found[prediction_id] = known
    return found


def _known(prediction_id: str, fields: list[bytes | None], result: bytes | None) -> Known:
    status, code, attempts, worker, preview = [None if field is None else field.decode() for field in fields]
    known = Known(prediction_id=prediction_id)
    if status is not None:
        known.status, known.code = Status(status), code or ""
        known.attempts, known.worker = int(attempts or 0), worker or ""
    if preview:
        known.key = msgspec.json.decode(preview)["key"]
    if result is not None:
        kept = deserialize(result)
        known.output = kept["r"] if kept["s"] else None
    return known


async def settle(stack: Stack, *, timeout_s: float) -> dict[str, int]:
    """Wait until nothing waits or runs; what says otherwise after ``timeout_s``."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while True:
        left = await _left_behind(stack.client)
        if not left or asyncio.get_running_loop().time() > deadline:
            return left
        await asyncio.sleep(0.2)


async def _left_behind(client: Any) -> dict[str, int]:
    counts: dict[str, int] = {}
    for queue in keys.QUEUES.values():
        counts[queue] = await client.zcard(queue)
    for status in (Status.QUEUED, Status.RUNNING):
        counts[keys.listed(status)] = await client.zcard(keys.listed(status))
    if not any(counts.values()):  # only then: it looks at every key
        for prefix in (keys.ARQ_JOB, keys.ARQ_IN_PROGRESS, keys.ARQ_RETRY):
            counts[prefix] = len([key async for key in client.scan_iter(match=prefix + "*", count=1000)])
    return {key: count for key, count in counts.items() if count}
