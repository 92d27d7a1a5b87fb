"""What a source says at one instant."""

from enum import StrEnum

import msgspec

from zypher_jobs.contracts.stats import Health, Overview


class SourceName(StrEnum):
    """Who can be asked for facts."""

    API = "api"
    REDIS = "redis"

    @property
    def label(self) -> str:
        """As it is written on the screen."""
        return "API" if self is SourceName.API else "Redis"


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One answer of one source, or why there is none. Its strings are clean."""

    source: SourceName
    at_s: float
    """When it was read, on the monotonic clock."""
    error: str | None = None
    """Why the source is away, as the end of a sentence: ``connection refused``. ``None``: it answered."""
    latency_ms: float | None = None
    overview: Overview | None = None
    overview_error: str | None = None
    """Why a source that answers has no figures."""
    health: Health | None = None


def ending(sentence: str) -> str:
    """``Redis cannot be reached.`` → ``cannot be reached``: to stand behind the name of what is away."""
    text = sentence.removeprefix("Redis ").rstrip(". ")
    return text[:1].lower() + text[1:]
