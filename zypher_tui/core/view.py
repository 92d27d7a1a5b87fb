"""What the screen shows, as data: made by ``store.Store.view``, drawn by ``widgets``, printed by ``top``."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from zypher_jobs.contracts.stats import Health, Overview, WorkerStats
from zypher_tui.core.book import Book, Newest
from zypher_tui.core.departures import Departed, Departures
from zypher_tui.core.heat import Heat
from zypher_tui.core.history import History, Sample
from zypher_tui.core.items import Item
from zypher_tui.core.latencies import Percentile
from zypher_tui.core.readings import Fault, SourceName
from zypher_tui.core.rows import ms_of


class Link(StrEnum):
    """How it stands with a source or a part."""

    CONNECTING = "connecting"
    UP = "up"
    AWAY = "away"
    REFUSING = "refuses"
    """It answers, and not to whoever asks here."""
    STRANGE = "not understood"
    """It answers as no version does that is known here."""
    UNKNOWN = "unknown"
    """Nobody can say: it is only seen through another part that is away."""


AMISS = (Link.AWAY, Link.REFUSING, Link.STRANGE)
"""Something is wrong with it, and that is known."""


class LinkView(msgspec.Struct, frozen=True, kw_only=True):
    """One part in the header."""

    source: SourceName
    link: Link
    latency_ms: float | None = None
    since_s: float | None = None
    """How long it has not been up."""
    reason: str | None = None
    """Why it is not, as the end of a sentence."""
    fault: Fault | None = None
    """What kind of trouble that is, where it is known."""


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
    """The time that is shown, on the dashboard's clock: now, or earlier."""
    past_s: float | None = None
    """How far back that is; ``None``: it is now, and goes on."""
    taken_at: datetime | None = None
    """When the figures were taken; ``None`` while there are none."""
    overview_at_s: float = 0.0
    """The same on the dashboard's clock."""
    stale_s: float | None = None
    """Age of the figures when no source brings newer ones."""
    figures_from: SourceName | None = None
    version: str | None = None
    uptime_s: float | None = None
    links: tuple[LinkView, ...] = ()
    notice: str | None = None
    """One sentence on what is wrong, with what is shown instead."""
    figures: Figures = Figures()
    history: History = msgspec.field(default_factory=History)
    """All samples, also those that came later."""
    overview: Overview | None = None
    """The newest that there was, without its predictions."""
    health: Health | None = None
    book: Book = msgspec.field(default_factory=Book)
    """All predictions that are known, also those that came later."""
    heat: Heat = msgspec.field(default_factory=Heat)
    """Their latencies by time, also of those that came later."""
    items: tuple[Item, ...] = ()
    """What needs attention, the worst first."""
    departures: Departures = msgspec.field(default_factory=Departures)
    """Workers that went, also later."""

    @property
    def workers(self) -> Sequence[WorkerStats]:
        """Those that were alive."""
        return self.overview.workers if self.overview else ()

    @property
    def departed(self) -> Sequence[Departed]:
        """Those that had gone in the last while, the latest first."""
        return self.departures.until(self.now_ms)

    def samples(self, *, last_s: float) -> Sequence[Sample]:
        """Those of so many seconds until the time that is shown, oldest first."""
        return self.history.samples(self.now_s, last_s=last_s)

    @property
    def as_of_ms(self) -> int | None:
        """The time that is shown, if it is in the past: what came later is not seen, see ``Row.as_of``."""
        return None if self.past_s is None else self.now_ms

    @property
    def now_ms(self) -> int:
        """The time that is shown, on the server's clock; 0 while that is not known."""
        if self.taken_at is None:
            return 0
        return ms_of(self.taken_at) + round(1000 * (self.now_s - self.overview_at_s))

    @property
    def rows(self) -> Newest:
        """The predictions that there were, newest first."""
        return Newest(self.book.rows, self.book.until(self.as_of_ms))

    @property
    def has_figures(self) -> bool:
        """Whether any source ever brought figures."""
        return self.taken_at is not None
