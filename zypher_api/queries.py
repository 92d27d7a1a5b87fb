"""Reads query parameters: each once, each known, each of its kind. What does not fit is 400 with its name."""

import difflib
import re
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import msgspec
from litestar import Request

from zypher_api.openapi import Parameter
from zypher_api.problems import MalformedRequest

E = TypeVar("E", bound=StrEnum)

USUAL_LIMIT = 50
"""So many a list has where nobody says how many."""


def limit_parameter(most: int, description: str = "How many at most.") -> Parameter:
    """``?limit=`` as the documentation has it; ``read_limit`` reads it."""
    return Parameter(
        name="limit",
        place="query",
        description=description,
        schema={"type": "integer", "minimum": 1, "maximum": most, "default": USUAL_LIMIT},
        example=USUAL_LIMIT,
    )


def read_query(request: Request[Any, Any, Any], known: Sequence[str]) -> dict[str, str]:
    """All of them, by name. Raises ``MalformedRequest`` for one that there is not, with the nearest that there is."""
    given = request.query_params
    for name in given:
        if name not in known:
            raise MalformedRequest(f"There is no filter {name!r}.{hint(name, known)}", field=name)
        if len(given.getall(name)) > 1:
            raise MalformedRequest(f"{name} may stand there once.", field=name)
    return dict(given.items())


def one_of(kind: type[E], query: dict[str, str], name: str) -> E | None:
    """A member of an enumeration."""
    text = query.get(name)
    if text is None:
        return None
    members = [str(each) for each in kind]
    if text not in members:
        raise MalformedRequest(f"There is no {name} {text!r}.{hint(text, members)}", field=name)
    return kind(text)


def matching(pattern: str, query: dict[str, str], name: str, *, wrong: str) -> str | None:
    """A text of a form."""
    text = query.get(name)
    if text is not None and not re.fullmatch(pattern, text, re.ASCII):
        raise MalformedRequest(wrong, field=name)
    return text


def number(query: dict[str, str], name: str, *, default: int, most: int) -> int:
    """A whole number from 1 to ``most``."""
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and 1 <= int(text) <= most):
        raise MalformedRequest(f"{name} must be a number from 1 to {most}.", field=name)
    return int(text)


def read_limit(query: dict[str, str], *, most: int) -> int:
    """How many a list may have."""
    return number(query, "limit", default=USUAL_LIMIT, most=most)


def instant(query: dict[str, str], name: str) -> datetime | None:
    """A time of RFC 3339, with its zone."""
    text = query.get(name)
    if text is None:
        return None
    try:
        return _decode_instant(text)
    except msgspec.ValidationError:
        raise MalformedRequest(f"{name} must be a time such as 2026-11-23T12:00:00Z.", field=name) from None


def _decode_instant(text: str) -> datetime:
    return msgspec.convert(text, Annotated[datetime, msgspec.Meta(tz=True)])


def hint(given: str, known: Sequence[str]) -> str:
    """The nearest that there is, or all of them."""
    near = difflib.get_close_matches(given, known, n=1)
    return f" Did you mean {near[0]!r}?" if near else f" Known: {', '.join(known)}."
