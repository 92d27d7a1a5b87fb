"""``90s``, ``5m``, ``12h``: times as people write them."""

import contextlib
import re
from datetime import datetime, timedelta

_FORM = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(s|m|min|h|d)")
_UNITS_S = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}


def seconds_of(text: str) -> float | None:
    """How long that is; ``None`` for what is no time."""
    match = _FORM.fullmatch(text.strip())
    return None if match is None else float(match[1]) * _UNITS_S[match[2]]


class WrongTime(ValueError):
    """It cannot be understood; the message says the way out."""


def time_of(text: str, begin: datetime) -> datetime:
    """``+5m`` after ``begin``, or ``2026-11-26T00:10:00Z``. Raises ``WrongTime``."""
    if text.startswith("+") and (seconds := seconds_of(text[1:])) is not None:
        return begin + timedelta(seconds=seconds)
    with contextlib.suppress(ValueError):
        at = datetime.fromisoformat(text.strip())
        if at.tzinfo is not None:
            return at
    raise WrongTime(f"{text!r} is no time; write +5m (after its begin) or {begin:%Y-%m-%dT%H:%M:%SZ}.")
