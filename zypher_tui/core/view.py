"""What the screen shows, as data: made by ``store.Store.view``, drawn by ``widgets``, printed by ``top``."""

from datetime import datetime
from enum import StrEnum

import msgspec

from zypher_jobs.contracts.prediction import PredictionSummary
from zypher_jobs.contracts.stats import WorkerStats
from zypher_tui.core.history import Sample
from zypher_tui.core.latencies import Percentile
from zypher_tui.core.readings import SourceName


class Link(StrEnum):
    """How it stands with a source or a part."""

    CONNECTING = "connecting"
    UP = "up"
    AWAY = "away"
    UNKNOWN = "unknown"
    """Nobody can say: it is only seen through another part that is away."""


class LinkView(msgspec.Struct, frozen=True, kw_only=True):
    """One part in the header."""

    source: SourceName
    link: Link
    latency_ms: float | None = None
    since_s: float | None = None
    """How long it has been away."""
    reason: str | None = None
    """Why it is away, as the end of a sentence."""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers on top. ``None``: not known (yet)."""

    depth: int | None = None
    running: int | None = None
    per_s: float | None = None
    oldest_age_ms: float | None = None
    failed_share: float | None = None
    wait_p50: Percentile | None = None
    wait_p95: Percentile | None = None
    run_p50: Percentile | None = None
    run_p95: Percentile | None = None
    window_s: float | None = None
    """What the share and the percentiles cover: the last so many seconds, or ``None``: all that is counted."""


class View(msgspec.Struct, frozen=True, kw_only=True):
    """One frame."""

    now_s: float
    taken_at: datetime | None = None
    """When the figures were taken; ``None`` while there are none."""
    stale_s: float | None = None
    """Age of the figures when no source brings newer ones."""
    figures_from: SourceName | None = None
    version: str | None = None
    uptime_s: float | None = None
    links: tuple[LinkView, ...] = ()
    notice: str | None = None
    """One sentence on what is wrong, with what is shown instead."""
    figures: Figures = Figures()
    samples: tuple[Sample, ...] = ()
    workers: tuple[WorkerStats, ...] = ()
    latest: tuple[PredictionSummary, ...] = ()
    """Newest first."""

    @property
    def has_figures(self) -> bool:
        """Whether any source ever brought figures."""
        return self.taken_at is not None
