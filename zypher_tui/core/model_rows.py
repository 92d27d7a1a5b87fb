"""Versions of models as lines of a table: how each process has them, their traffic, and how their predictions went."""

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from itertools import islice

import msgspec

from zypher_jobs.contracts.deployment import ModelDetail, VersionDetail
from zypher_jobs.contracts.model import BatchingInfo
from zypher_jobs.contracts.prediction import Status
from zypher_tui.core.comparing import VersionStats, by_version
from zypher_tui.core.errors import LOOKED_AT
from zypher_tui.core.readings import SourceName
from zypher_tui.core.rows import Row
from zypher_tui.core.view import View

RATE_MS = 60_000
"""What rates are taken over, if so much is known."""


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """What a source said of the models."""

    models: list[ModelDetail]
    source: SourceName
    at_s: float


class Condition(StrEnum):
    """How it stands with a version in all processes together."""

    READY = "ready"
    LOADING = "loading"
    ASLEEP = "asleep"
    """Out of memory in most processes, and loaded at its next call."""
    FAILED = "failed"
    """In one process at least."""
    UNKNOWN = "unknown"


class ModelRow(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a model."""

    model: str
    version: str
    detail: ModelDetail | None = None
    """What is known of its model."""
    found: VersionDetail | None = None
    stats: VersionStats | None = None
    """Of its newest predictions; ``None``: there are none."""
    waiting: int = 0
    running: int = 0
    per_s: float | None = None

    @property
    def key(self) -> str:
        """``name@version``."""
        return f"{self.model}@{self.version}" if self.version else self.model

    @property
    def share(self) -> float:
        """Of the traffic that names no version."""
        return self.found.share if self.found else 0.0

    @property
    def is_shadow(self) -> bool:
        """Whether it gets copies only."""
        return self.detail is not None and self.detail.shadow == self.version

    @property
    def batching(self) -> BatchingInfo | None:
        """Its batches in all processes together; ``None``: none of them makes any."""
        states = self.found.processes.values() if self.found else ()
        said = [state.batching for state in states if state.batching is not None]
        if not said:
            return None
        batches = sum(each.batches for each in said)
        predictions = sum(each.batches * each.mean_batch_size for each in said)
        return BatchingInfo(
            max_batch_size=max(each.max_batch_size for each in said),
            batches=batches,
            mean_batch_size=predictions / batches if batches else 0.0,
            waiting=sum(each.waiting for each in said),
            running=sum(each.running for each in said),
        )

    @property
    def condition(self) -> Condition:
        """How it stands with it."""
        states = Counter(state.state for state in self.found.processes.values()) if self.found else Counter[str]()
        for condition in (Condition.FAILED, Condition.LOADING):
            if states[condition.value]:
                return condition
        if not states:
            return Condition.UNKNOWN
        return Condition.READY if states["ready"] >= states["asleep"] else Condition.ASLEEP

    @property
    def processes(self) -> tuple[int, int]:
        """In how many it is so, and in how many it ought to be."""
        if self.found is None:
            return 0, 0
        states = [state.state for state in self.found.processes.values()]
        return sum(state == self.condition for state in states), len(states)


def recent(view: View) -> list[Row]:
    """The newest predictions as they were at the time that is shown, oldest first."""
    rows = list(islice(view.rows, LOOKED_AT))
    rows.reverse()
    as_of_ms = view.as_of_ms
    return rows if as_of_ms is None else [row.as_of(as_of_ms) for row in rows]


def model_rows(view: View, rows: Sequence[Row], served: Served | None) -> list[ModelRow]:
    """By model; of each the version with the most traffic first. ``rows`` are the ``recent`` ones."""
    stats = {(each.model, each.version): each for each in by_version(rows, most=LOOKED_AT)}
    details = {model.name: model for model in served.models} if served else {}
    versions = {(model.name, version.version): version for model in details.values() for version in model.versions}
    names = {count.model for count in view.overview.counts} if view.overview else set[str]()
    names -= {model for model, _ in (*stats, *versions)}  # nothing else is known of those
    span_ms = _span_ms(view, rows)
    since_ms = view.now_ms - span_ms
    ended = Counter((row.model, row.version) for row in rows if (row.finished_ms or 0) > since_ms)
    made: list[ModelRow] = []
    for key in {*stats, *versions, *((name, "") for name in names if name)}:
        counts = stats[key].counts if key in stats else {}
        row = ModelRow(
            model=key[0],
            version=key[1],
            detail=details.get(key[0]),
            found=versions.get(key),
            stats=stats.get(key),
            waiting=counts.get(Status.QUEUED, 0),
            running=counts.get(Status.RUNNING, 0),
            per_s=ended[key] * 1000 / span_ms if span_ms > 0 else None,
        )
        made.append(row)
    return sorted(made, key=lambda row: (row.model, -row.share, not row.is_shadow, row.version))


def _span_ms(view: View, rows: Sequence[Row]) -> int:
    """What the rate can be taken over: not more than these rows reach back."""
    if len(rows) < LOOKED_AT:
        return RATE_MS
    return max(min(RATE_MS, view.now_ms - rows[0].created_ms), 0)
