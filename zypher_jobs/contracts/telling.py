"""What a running prediction says, as JSON: in its events, and in their data over HTTP."""

from datetime import datetime

import msgspec


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far it is."""

    progress: float
    """0 to 1."""
    message: str = ""
    """What it is doing."""
    at: datetime
    """When it said so, on its worker's clock."""


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line for whoever watches."""

    at: datetime
    line: str
