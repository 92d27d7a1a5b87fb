"""The reply of ``lines.lua`` → queues as operators see them."""

from collections.abc import Sequence
from typing import Any

from zypher_jobs.contracts.stats import ModelLine, QueueState
from zypher_jobs.queue import keys
from zypher_jobs.queue.records import PRIORITIES

SAMPLED = 500
"""First in line of a queue, of which the models are counted."""


def queue_states(reply: Sequence[Any]) -> list[QueueState]:
    """One for each of ``keys.QUEUES``, in that order."""
    now_ms, *rows = reply
    return [_state(name, now_ms, *row) for name, row in zip(keys.QUEUES.values(), rows, strict=True)]


def _state(
    name: str,
    now_ms: int,
    depth: int,
    running: int,
    since_ms: int,
    paused: int,
    ended: int,
    over_ms: int,
    line: list[Any],
) -> QueueState:
    created_ms: dict[str, list[int]] = {}
    for model, at_ms in zip(line[::2], line[1::2], strict=True):
        created_ms.setdefault(model.decode(), []).append(at_ms)
    oldest_ms = min([since_ms, *(min(each) for each in created_ms.values())]) if depth and since_ms >= 0 else None
    ended_per_s = ended / over_ms * 1000
    return QueueState(
        queue=PRIORITIES[name],
        depth=depth,
        running=running,
        oldest_age_ms=None if oldest_ms is None else float(max(0, now_ms - oldest_ms)),
        paused=paused == 1,
        ended_per_s=ended_per_s,
        drain_s=depth / ended_per_s if ended_per_s and not paused else 0.0 if not depth else None,
        models=[
            ModelLine(model=model, waiting=len(each), oldest_age_ms=float(max(0, now_ms - min(each))))
            for model, each in sorted(created_ms.items())
        ],
        sampled=len(line) // 2,
    )
