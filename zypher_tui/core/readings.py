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


class Fault(StrEnum):
    """What kind of trouble a source is in: each has a way out of its own, see ``core.troubles``."""

    REFUSED = "refused"
    """Nothing listens there."""
    NO_HOST = "no-host"
    SILENT = "silent"
    """No answer in time."""
    UNREACHABLE = "unreachable"
    CLOSED = "closed"
    """It hangs up without an answer."""
    FOREIGN = "foreign"
    """Something else answers there."""
    TLS = "tls"
    """It speaks TLS, and was asked without."""
    NO_TLS = "no-tls"
    CERTIFICATE = "certificate"
    KEY = "key"
    """It wants a key, or another one."""
    SCOPE = "scope"
    """The key may not look."""
    NEAR_ONLY = "near-only"
    """It has no keys, and serves its own machine only."""
    VERSION = "version"
    """It answers as no version that is known here does."""
    PASSWORD = "password"  # noqa: S105  # of Redis, refused
    OTHER = "other"


BARRING = frozenset((Fault.KEY, Fault.SCOPE, Fault.NEAR_ONLY))
"""It answers, and not to whoever asks here."""


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
    fault: Fault | None = None
    """What kind of trouble either is, where that is known."""
    health: Health | None = None


def ending(sentence: str) -> str:
    """``Redis cannot be reached.`` → ``cannot be reached``: to stand behind the name of what is away."""
    text = sentence.removeprefix("Redis ").rstrip(". ")
    return text[:1].lower() + text[1:]
