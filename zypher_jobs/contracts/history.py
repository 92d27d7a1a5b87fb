"""What the system was like at one time, as it is recorded every few seconds."""

from datetime import datetime

import msgspec

from zypher_jobs.contracts.stats import Health, Overview


class HistoryFrame(msgspec.Struct, frozen=True, kw_only=True):
    """The whole system at one instant of the past."""

    at: datetime
    overview: Overview
    """Without its latest predictions."""
    health: Health | None = None
    """``None`` where a worker recorded it: no API process lived."""
