"""An event: one thing that happened to a prediction, as those who follow the queue read it."""

from datetime import datetime

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """An immutable fact with an id: a prediction entered a status, or an attempt was lost with its worker."""

    event_id: str
    """Where it stands in the stream; a reader resumes behind it."""
    at: datetime
    prediction_id: str
    status: str
    """The status it has since; ``lost`` for an attempt whose worker never reported back."""
    model: str = ""
    """Empty where the script that wrote it did not read it: ``running`` and ``lost``."""
    attempt: int = 0
    worker: str = ""
    """Of the attempt; empty while there was none."""
