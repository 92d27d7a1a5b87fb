"""The queues as lines of a table, and how long each takes to drain."""

from collections.abc import Sequence

import msgspec

from zypher_jobs.contracts.prediction import Priority
from zypher_jobs.contracts.stats import Overview, QueueStats


class Drain(msgspec.Struct, frozen=True, kw_only=True):
    """How a queue's depth changes, and what that means for those who wait."""

    depth: int
    ended_per_s: float
    growth_per_s: float = 0.0
    """By how much the depth changed per second lately: below 0 it drains."""

    @property
    def empty_s(self) -> float | None:
        """Until the last of those that wait now has ended; ``None``: nothing ends."""
        if self.depth == 0:
            return 0.0
        return self.depth / self.ended_per_s if self.ended_per_s > 0 else None


class QueueRow(msgspec.Struct, frozen=True, kw_only=True):
    """One queue at the time that is shown."""

    queue: QueueStats
    drain: Drain

    @property
    def empty_s(self) -> float | None:
        """Until all that wait have ended; ``None``: none wait, it is paused, or nothing ends."""
        return self.drain.empty_s if self.queue.depth and not self.queue.paused else None

    @property
    def filter(self) -> str:
        """Keeps what waits in it, in a list of predictions."""
        return filter_of(self.queue)


def queue_rows(overview: Overview | None) -> list[QueueRow]:
    """One for each priority, the highest first."""
    if overview is None:
        return []
    return [QueueRow(queue=queue, drain=drain_of(overview, queue)) for queue in queues_of(overview)]


def queues_of(overview: Overview) -> Sequence[QueueStats]:
    """One for each priority; all as one where the server says no more."""
    return overview.queues or [overview.queue]


def drain_of(overview: Overview, queue: QueueStats, *, growth_per_s: float = 0.0) -> Drain:
    """How it drains. Where the server says only what ends of all queues, each has its share of it by depth."""
    ended_per_s = queue.ended_per_s
    if ended_per_s is None:
        total = sum(each.depth for each in queues_of(overview))
        ended_per_s = overview.ended_per_s * (queue.depth / total if total else 1.0)
    return Drain(depth=queue.depth, ended_per_s=ended_per_s, growth_per_s=growth_per_s)


def drain_of_all(overview: Overview) -> Drain:
    """How all that waits drains, without what waits in paused queues."""
    depth = sum(queue.depth for queue in queues_of(overview) if not queue.paused)
    return Drain(depth=depth, ended_per_s=overview.ended_per_s)


def filter_of(queue: QueueStats) -> str:
    """Keeps what waits in that queue, in a list of predictions."""
    is_one = queue.name in {priority.value for priority in Priority}
    return f"status:queued priority:{queue.name}" if is_one else "status:queued"
