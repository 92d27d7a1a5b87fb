"""What the caller says in headers: when it wants the answer (``Async-Mode``, ``Prefer``), what the body is.

Header names arrive in lower case, as ASGI has it.
"""

import re
from collections.abc import Iterator

import msgspec
from litestar.types import Scope

from zypher_api.problems import MalformedRequest, UnsupportedMediaType

MAX_WAIT_S = 60
"""Longest time a request is held open for a prediction; proxies give up soon after."""

# possessive throughout: hostile headers are refused in linear time
_LIST_MEMBER = re.compile(r'((?:"(?:[^"\\]|\\.)*+"|[^",]++)*+)(?:,|$)', re.DOTALL)
_PREFERENCE = re.compile(
    r"""([!#$%&'*+.^_`|~0-9A-Za-z-]++)            # token
        [ \t]*+(?:=[ \t]*+(?:"((?:[^"\\]|\\.)*+)"|([!#$%&'*+.^_`|~0-9A-Za-z-]*+)))?  # = word
        [ \t]*+(?:;.*)?                              # parameters: none that we know""",
    re.VERBOSE | re.DOTALL,
)


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """When the caller wants the answer."""

    later: bool = False
    """Through the queue."""
    wait_s: int | None = None
    """With ``later``: hold the request this long, in case the prediction ends in time."""
    applied: bytes = b""
    """Value of ``Preference-Applied``; empty when no preference decided."""
    as_events: bool = False
    """As server-sent events, from its start to its end; never with ``later``."""


NOW = Reply()
NOW_AS_EVENTS = Reply(as_events=True)


def wanted_reply(scope: Scope, *, streams: bool = False) -> Reply:
    """``NOW`` unless a header says otherwise. ``Async-Mode`` decides; where it is absent, ``Prefer`` does.

    ``wait`` alone is the longest that the caller will wait (RFC 7240 §4.3): what takes longer is answered later.

    ``Accept`` says whether an answer now comes as events; an answer later is a document in any case. A route that
    ``streams`` gives events only: nobody waits there for a document that comes now.

    Raises ``MalformedRequest`` for an ``Async-Mode`` that is neither true nor false. A preference that cannot be
    understood is ignored, as RFC 7240 wants it.
    """
    prefer: list[str] = []
    async_mode: str | None = None
    now = NOW_AS_EVENTS if streams else NOW
    for name, value in scope["headers"]:
        if name == b"prefer":
            prefer.append(value.decode("latin-1"))
        elif name == b"async-mode":
            text = value.decode("latin-1").strip().lower()
            if text not in ("true", "false") or async_mode not in (None, text):
                raise MalformedRequest(
                    "The header Async-Mode must be true (the answer later) or false (the answer now), once.",
                    field="Async-Mode",
                )
            async_mode = text
        elif name == b"accept" and b"text/" in value.lower() and prefers_events(scope):
            now = NOW_AS_EVENTS
    if not prefer:
        return now if async_mode != "true" else Reply(later=True)
    preferences = parse_prefer(prefer)
    preferred = preferences.get("respond-async") == ""
    wait_s = None if streams else _wait_s(preferences.get("wait", ""))
    is_bounded = wait_s is not None and not now.as_events  # of a stream there is something at once
    if async_mode == "false" or (async_mode is None and not preferred and not is_bounded):
        return now
    applied = [b"respond-async"] if preferred else []
    if wait_s is not None:
        applied.append(b"wait=%d" % wait_s)
    return Reply(later=True, wait_s=wait_s, applied=b", ".join(applied))


def prefers_events(scope: Scope) -> bool:
    """Whether ``Accept`` (RFC 9110 §12.5.1) wants events more than JSON.

    By its quality; where that is the same, by which of the two it names more exactly.
    """
    ranges = [
        member
        for name, value in scope["headers"]
        if name == b"accept"
        for member in _members(value.decode("latin-1").lower())
    ]
    events, json = _wanted("text", "event-stream", ranges), _wanted("application", "json", ranges)
    return events > json and events[0] > 0


def _wanted(kind: str, subtype: str, ranges: list[str]) -> tuple[float, int]:
    """Quality, 0 to 1, and how exactly it was named, 0 to 2: of the most exact range counts the quality."""
    exactness = {f"{kind}/{subtype}": 2, f"{kind}/*": 1, "*/*": 0}
    best = (-1, 0.0)
    for each in ranges:
        name, *parameters = (part.strip(" \t") for part in each.split(";"))
        if name in exactness:
            best = max(best, (exactness[name], _quality(parameters)))
    return best[1], best[0]


def _quality(parameters: list[str]) -> float:
    given = next((text[2:] for text in parameters if text.startswith("q=")), "1")
    return min(1.0, float(given)) if re.fullmatch(r"[0-9](\.[0-9]{0,3})?", given) else 0.0


def parse_prefer(values: list[str]) -> dict[str, str]:
    """Preference → value (``""`` for none) of all ``Prefer`` headers (RFC 7240 §2); of repeated ones the first counts.

    Members that are no preference are left out.
    """
    preferences: dict[str, str] = {}
    for value in values:
        for member in _members(value):
            if match := _PREFERENCE.fullmatch(member):
                name, quoted, plain = match.groups()
                word = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain or ""
                preferences.setdefault(name.lower(), word)
    return preferences


def _members(value: str) -> Iterator[str]:
    """Members of a comma separated list; commas inside quotes do not separate."""
    position = 0
    while position < len(value):
        match = _LIST_MEMBER.match(value, position)
        if match is None:  # a quote that never ends
            return
        if member := match[1].strip(" \t"):
            yield member
        position = match.end()


def _wait_s(text: str) -> int | None:
    # no number is too long, and none takes long to read
    return min(int(text.lstrip("0")[:9] or "0"), MAX_WAIT_S) if re.fullmatch(r"[0-9]++", text) else None


def require_json(content_type: bytes | None) -> None:
    """Accept ``application/json`` and ``application/*+json`` with any parameters, and no Content-Type at all.

    Raises ``UnsupportedMediaType``. A charset is not looked at: JSON is UTF-8, and what is not is refused as such.
    """
    if content_type == b"application/json" or content_type is None:
        return
    media_type = content_type.partition(b";")[0].strip().lower()
    if media_type == b"application/json" or re.fullmatch(rb"application/[!#$&^_.+a-z0-9-]+\+json", media_type):
        return
    shown = media_type.decode("latin-1") or "an empty Content-Type"
    raise UnsupportedMediaType(f"The body must be JSON, not {shown}: send the header Content-Type: application/json.")
