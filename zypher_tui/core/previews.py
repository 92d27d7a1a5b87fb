"""Previews of inputs and outputs in a few cells: values first, punctuation last."""

import re
from functools import lru_cache
from typing import Any

import msgspec

from zypher_tui.core.cleaning import clean

_object = msgspec.json.Decoder(dict[str, Any])
_LEADING_KEY = re.compile(r'^\{"[^"\\]{1,32}":\s*')


@lru_cache(maxsize=2048)
def compact(preview: str, *, given: str = "") -> str:
    """JSON for a narrow column.

    ``{"input":"hello"}`` → ``hello``; ``{"digit":7,"confidence":0.98}`` → ``digit 7 · confidence 0.98``. What an output
    repeats of its input (``given``) is left out. A preview that was cut short only loses its first key.
    """
    members = _members(preview)
    if members is None:
        return _LEADING_KEY.sub("", preview)
    repeated = (_members(given) or {}) if given else {}
    fresh = {name: value for name, value in members.items() if name not in repeated or repeated[name] != value}
    shown = fresh or members
    if len(shown) == 1:
        return clean(_text(next(iter(shown.values()))))  # decoding has undone the escapes of JSON: clean it again
    return " · ".join(clean(f"{name} {_text(value)}") for name, value in shown.items())  # the dot would slow it down


def as_preview(text: str) -> str:
    """What ``compact`` gave, so that it gives it once more."""
    return msgspec.json.encode({"value": text}).decode() if text.startswith("{") else text


def _members(preview: str) -> dict[str, Any] | None:
    try:
        return _object.decode(preview) or None
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
