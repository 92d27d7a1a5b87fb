"""W3C Trace Context (https://www.w3.org/TR/trace-context/): where in its caller's trace something happens.

What cannot be read is no trace: a request is never refused for it.
"""

import os
import re

import msgspec

MOST_STATE_BYTES = 512
"""Of ``tracestate``, as much as everybody must pass on; a longer one is left out, as is one of more members than 32."""
MOST_STATE_MEMBERS = 32
KNOWN_FLAGS = 0x03
"""Sampled, and (of level 2) that the trace id is random; what else a later version sets is not passed on."""

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII | re.DOTALL)
_TRACESTATE = re.compile(rf"[ -~]{{1,{MOST_STATE_BYTES}}}", re.ASCII)
_NO_TRACE, _NO_PARENT = "0" * 32, "0" * 16


class TraceContext(msgspec.Struct, frozen=True):
    """One place in a trace."""

    traceparent: str
    """Of version 00, whatever version came."""
    tracestate: str = ""
    """What others wrote, unchanged; empty: nothing."""

    @property
    def trace_id(self) -> str:
        """32 hex digits."""
        return self.traceparent[3:35]

    @property
    def parent_id(self) -> str:
        """16 hex digits: the span that is the parent of whatever comes next."""
        return self.traceparent[36:52]

    @property
    def flags(self) -> int:
        """As a number: 1 is sampled, 2 that the trace id is random."""
        return int(self.traceparent[53:], 16)

    @property
    def stored(self) -> str:
        """In one text, as ``read_stored`` reads it."""
        return f"{self.traceparent} {self.tracestate}" if self.tracestate else self.traceparent

    @property
    def headers(self) -> dict[str, str]:
        """As they are sent."""
        headers = {"traceparent": self.traceparent}
        if self.tracestate:
            headers["tracestate"] = self.tracestate
        return headers

    def next(self) -> "TraceContext":
        """Of an exchange that begins here: the same trace, under a parent id of its own."""
        return TraceContext(f"{self.traceparent[:36]}{_new_parent_id()}{self.traceparent[52:]}", self.tracestate)


def read_trace(traceparent: str, tracestate: str = "") -> TraceContext | None:
    """Out of the headers; ``None`` for a ``traceparent`` that is none, to the letter of the standard."""
    match = _TRACEPARENT.fullmatch(traceparent)
    if match is None:
        return None
    version, trace_id, parent_id, flags, more = match.groups()
    if version == "ff" or (version == "00" and more) or trace_id == _NO_TRACE or parent_id == _NO_PARENT:
        return None
    if not _TRACESTATE.fullmatch(tracestate) or tracestate.count(",") >= MOST_STATE_MEMBERS:
        tracestate = ""
    return TraceContext(f"00-{trace_id}-{parent_id}-{int(flags, 16) & KNOWN_FLAGS:02x}", tracestate)


def read_stored(stored: str) -> TraceContext | None:
    """What ``TraceContext.stored`` wrote; ``None`` for an empty text."""
    traceparent, _, tracestate = stored.partition(" ")
    return read_trace(traceparent, tracestate)


def trace_id_of(stored: str) -> str | None:
    """Of what ``TraceContext.stored`` wrote; ``None`` for an empty text."""
    return stored[3:35] or None


def _new_parent_id() -> str:
    parent_id = os.urandom(8).hex()
    return parent_id if parent_id != _NO_PARENT else _new_parent_id()
