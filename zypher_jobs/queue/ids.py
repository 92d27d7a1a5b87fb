"""Prediction ids: 32 hex digits when we make them; what a caller may name is a little wider."""

import os
import re

_ALLOWED = re.compile(r"[A-Za-z0-9_-]{1,64}")


def new_prediction_id() -> str:
    """128 random bits as 32 hex digits."""
    return os.urandom(16).hex()


def is_prediction_id(text: str) -> bool:
    """Whether ``text`` could be the id of a prediction."""
    return _ALLOWED.fullmatch(text) is not None
