"""Bodies of operators' routes."""

import msgspec

from zypher_jobs.contracts.operation import AuditEntry


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """A new prediction with the input of an old one."""

    prediction_id: str
    """Of the new one."""
    replay_of: str
    location: str
    """Where to read it."""


class Dropped(msgspec.Struct, frozen=True, kw_only=True):
    """A prediction that is known no more."""

    prediction_id: str


class AuditPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some operations, newest first."""

    entries: list[AuditEntry]
    next: str | None = None
    """The `before` of the page behind this one; absent on the last."""
