"""Prediction ids: 32 hex digits when we make them; what a caller may name is a little wider."""

import os
import re

_ALLOWED = re.compile(r"[A-Za-z0-9_-]{1,64}")
_BYTES, _AT_ONCE = 16, 256
_ahead: list[str] = []
os.register_at_fork(after_in_child=_ahead.clear)  # or both would give out the same


def new_prediction_id() -> str:
    """128 random bits as 32 hex digits; drawn many at a time, a system call costs more than all the rest."""
    if not _ahead:
        drawn = os.urandom(_BYTES * _AT_ONCE).hex()
        _ahead.extend(drawn[at : at + 2 * _BYTES] for at in range(0, len(drawn), 2 * _BYTES))
    return _ahead.pop()


def is_prediction_id(text: str) -> bool:
    """Whether ``text`` could be the id of a prediction."""
    return _ALLOWED.fullmatch(text) is not None
