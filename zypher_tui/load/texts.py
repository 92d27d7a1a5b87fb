"""A plan out of texts: a form's fields, or a command's options. What is wrong with one is said with the way out."""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import TypeVar

from zypher_tui.load.plan import MAX_CALLERS, MAX_DURATION_S, MAX_RATE_PER_S, MAX_TOTAL, How, Plan
from zypher_tui.load.shapes import Shape

_TIME = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|)")
_UNITS_S = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3_600.0}

Value = TypeVar("Value")
Choice = TypeVar("Choice", bound=StrEnum)


class WrongPlan(ValueError):
    """Some of it cannot be; ``fields`` has a sentence with the way out for each that is wrong."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__(" ".join(fields.values()))
        self.fields = fields


DEFAULTS: Mapping[str, str] = {
    "model": "", "input": "", "how": "sync", "shape": "constant", "rate": "20", "callers": "10", "for": "30s",
    "total": "10000", "limit": "200", "retry_after": "ignore",
}  # fmt: skip
"""Every field, as text."""


def read_plan(texts: Mapping[str, str], models: Sequence[str]) -> Plan:
    """The plan that texts ask for; what is not there is as in ``DEFAULTS``. Raises ``WrongPlan`` for all at once."""
    reading = _Reading({**DEFAULTS, **texts})
    shape = reading.field("shape", _choice(Shape)) or Shape.CONSTANT
    limit = reading.field("limit", _rate) or MAX_RATE_PER_S
    has_rate = shape is not Shape.CALLERS
    plan = Plan(
        model=reading.field("model", _model(models)) or "",
        how=reading.field("how", _choice(How)) or How.SYNC,
        shape=shape,
        rate_per_s=(reading.field("rate", _rate_within(limit)) if has_rate else None) or 1.0,
        callers=(None if has_rate else reading.field("callers", _whole(MAX_CALLERS, "callers"))) or 1,
        duration_s=reading.field("for", _duration_s) or 1.0,
        total=reading.field("total", _whole(MAX_TOTAL, "requests")) or 1,
        limit_per_s=limit,
        honors_retry_after=reading.field("retry_after", _choice(_Refused)) is _Refused.HONOR,
    )
    if reading.wrong:
        raise WrongPlan(reading.wrong)
    return plan


class _Refused(StrEnum):
    IGNORE = "ignore"
    HONOR = "honor"


class _Reading:
    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self.wrong: dict[str, str] = {}

    def field(self, name: str, read: Callable[[str], Value]) -> Value | None:
        """The field's value; ``None`` where it is wrong, which is written down."""
        try:
            return read(self._texts[name].strip())
        except ValueError as error:
            self.wrong[name] = str(error)
            return None


def _choice(choices: type[Choice]) -> Callable[[str], Choice]:
    def read(text: str) -> Choice:
        known = [each.value for each in choices]
        if text not in known:
            near = difflib.get_close_matches(text, known, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}."
            raise ValueError(f"{text!r} is none of them. {hint}")
        return choices(text)

    return read


def _model(models: Sequence[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not text:
            raise ValueError(f"Which model? There are {', '.join(models)}." if models else "Which model?")
        name, _, version = text.partition("@")
        if "@" in text and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", version):
            raise ValueError(f"{version!r} is no version; write one such as {name}@1.")
        if name not in models:
            near = difflib.get_close_matches(name, models, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(models) or 'none'}."
            raise ValueError(f"There is no model {name!r}. {hint}")
        return text

    return read


def _rate(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(?:/s)?", text)
    if match is None or float(match[1]) <= 0:
        raise ValueError(f"{text!r} is no rate; write requests per second, such as 50.")
    rate = float(match[1])
    if rate > MAX_RATE_PER_S:
        raise ValueError(f"{MAX_RATE_PER_S:,.0f}/s is the most that this sends; a larger load wants a tool of its own.")
    return rate


def _rate_within(limit_per_s: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        rate = _rate(text)
        if rate > limit_per_s:
            raise ValueError(f"{rate:g}/s is above the limit of {limit_per_s:g}/s; raise that if you mean it.")
        return rate

    return read


def _whole(most: int, what: str) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"\d{1,12}", text) or not 1 <= int(text) <= most:
            raise ValueError(f"{text!r} is not from 1 to {most:,} {what}.")
        return int(text)

    return read


def _duration_s(text: str) -> float:
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no time; write one such as 500ms, 30s or 5m.")
    seconds = float(match[1]) * _UNITS_S[match[2]]
    if not 0.1 <= seconds <= MAX_DURATION_S:
        raise ValueError(f"{text} is not from 100ms to 1h.")
    return seconds
