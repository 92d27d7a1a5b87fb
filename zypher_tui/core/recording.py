"""A recording: what was seen of a system, as one file that shows it anywhere. Its lines, and what they must hold.

gzip'ed JSON, one object a line (``zcat FILE | jq``). The first line is the ``Header``; then, in order of time:

==========  ================================================================================
``events``  what happened
``rows``    predictions that are new, or of which something is known that was not before
``frame``   how each source stood, with the figures and the health that they brought; with ``is_whole`` false,
            of the counters only those that changed
==========  ================================================================================

A file comes from anywhere: ``read_line`` cleans every string and refuses what could not have been written.
"""

from datetime import datetime
from typing import Annotated, TypeAlias

import msgspec

from zypher_jobs.contracts.event import Event
from zypher_jobs.contracts.prediction import PredictionSummary
from zypher_jobs.contracts.stats import Health, LatencyHistogram, Overview, PredictionCount
from zypher_tui.core.cleaning import clean, cleaned
from zypher_tui.core.plausible import Implausible, check_event, check_health, check_overview, check_summary
from zypher_tui.core.readings import Fault, Reading, SourceName

FORMAT = 1
"""What another number says cannot be read by this version."""
MINOR = 1
"""Grows with what may be skipped: new kinds of lines, new fields."""
MAX_LINE_BYTES = 8 * 2**20
MAX_TOTAL_BYTES = 2 * 2**30
"""Of all lines, unpacked: a small file may hold a great deal of nothing."""
MAX_CHARS = 2_000
"""Longer strings are cut."""
_BLOCK = MAX_CHARS // 2
"""A string that is longer fills one of these from end to end."""

Instant: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]


class WrongRecording(ValueError):
    """It is no recording, or not one that this version can read; the message is a sentence."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line."""

    zypher_recording: int = FORMAT
    minor: int = MINOR
    version: str
    """Of the Zypher that wrote it."""
    started_at: Instant
    sources: list[str]
    """Who was asked."""
    has_previews: bool = True
    """Whether inputs and outputs are in it, as far as previews show them."""
    note: str = ""


class SourceState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one source stood."""

    error: str | None = None
    """Why it was away, as the end of a sentence."""
    latency_ms: float | None = None
    overview_error: str | None = None
    fault: str | None = None
    """A ``Fault``, or one that this version does not know."""


class FrameLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="frame", omit_defaults=True):
    """What all sources said at one time."""

    at: Instant
    sources: dict[SourceName, SourceState]
    overview_from: SourceName | None = None
    overview: Overview | None = None
    """Without predictions: those are rows."""
    is_whole: bool = True
    """Whether all counters are in it, or those that changed since the frame before; see ``shrinking``."""
    health: Health | None = None


class Standing(msgspec.Struct, frozen=True):
    """Whether a source was there."""

    error: str | None = None


class Counters(msgspec.Struct, frozen=True):
    """What is counted of predictions."""

    counts: list[PredictionCount]
    latencies: list[LatencyHistogram]


class Glance(msgspec.Struct, frozen=True, kw_only=True):
    """Of a frame, what later ones need: nothing in it is checked or clean."""

    at: Instant
    sources: dict[SourceName, Standing]
    overview: Counters | None = None
    is_whole: bool = True


class RowsLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="rows"):
    """Predictions that changed since the line before."""

    at: Instant
    rows: list[PredictionSummary]


class EventsLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="events"):
    """What happened since the line before."""

    at: Instant
    events: list[Event]


Line: TypeAlias = FrameLine | RowsLine | EventsLine


class _Kind(msgspec.Struct):
    kind: str


class _Format(msgspec.Struct):
    zypher_recording: int
    version: str = "another version"


_FAULTS = frozenset(Fault)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Line).decode
_glance = msgspec.json.Decoder(Glance).decode
_kind = msgspec.json.Decoder(_Kind).decode
_format = msgspec.json.Decoder(_Format).decode
_header = msgspec.json.Decoder(Header).decode


def write_line(line: Header | Line) -> bytes:
    """The line with its end."""
    return _encode(line) + b"\n"


def frame_of(readings: list[Reading], at: datetime) -> FrameLine:
    """What sources said, in the order in which their figures are preferred."""
    with_figures = next((reading for reading in readings if reading.overview is not None), None)
    overview = with_figures.overview if with_figures else None
    return FrameLine(
        at=at,
        sources={
            each.source: SourceState(
                error=each.error, latency_ms=each.latency_ms, overview_error=each.overview_error, fault=each.fault
            )
            for each in readings
        },
        overview_from=with_figures.source if with_figures else None,
        overview=msgspec.structs.replace(overview, latest=[]) if overview else None,
        health=next((reading.health for reading in readings if reading.health is not None), None),
    )


def readings_of(frame: FrameLine) -> list[Reading]:
    """The frame as what each source said, at Unix time."""
    at_s = frame.at.timestamp()
    return [
        Reading(
            source=source,
            at_s=at_s,
            error=state.error,
            latency_ms=state.latency_ms,
            overview=frame.overview if source is frame.overview_from else None,
            overview_error=state.overview_error,
            fault=Fault(state.fault) if state.fault in _FAULTS else None,
            health=frame.health if source is SourceName.API else None,
        )
        for source, state in frame.sources.items()
    ]


def read_header(line: bytes) -> Header:
    """The first line; raises ``WrongRecording``."""
    try:
        found = _format(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WrongRecording("It is no recording of Zypher: it does not begin with what it is.") from error
    if found.zypher_recording != FORMAT:
        raise WrongRecording(
            f"It is a recording of format {found.zypher_recording}, written by Zypher {clean(found.version)[:40]}; "
            f"this version reads format {FORMAT}."
        )
    try:
        return cleaned(_header(line), max_chars=MAX_CHARS)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WrongRecording(f"Its first line is damaged: {clean(str(error))[:120]}.") from error


_FRAME = b'{"kind":"frame",'


def glance_at(line: bytes) -> Glance | None:
    """What of a frame is needed at least; ``None``: it is none, or one that has to be read whole."""
    if not line.startswith(_FRAME):
        return None
    try:
        return _glance(line)
    except (msgspec.DecodeError, RecursionError):
        return None


def read_line(line: bytes) -> Line | None:
    """A later line, its strings clean; ``None`` for a kind that this version does not know.

    Raises ``ValueError`` for what is none.
    """
    try:
        found = _decode(line)
    except msgspec.ValidationError:
        if _kind(line).kind in ("frame", "rows", "events"):
            raise
        return None
    except RecursionError as error:
        raise ValueError("too deep") from error
    if not _is_plain(line):
        found = cleaned(found, max_chars=MAX_CHARS)
    _check(found)
    return found


def _is_plain(line: bytes) -> bool:
    """Whether no string in it needs to be cleaned or cut: much faster than to look at each."""
    return (
        line.isascii()
        and b"\x7f" not in line
        and (b"\\" not in line or line.count(b"\\") == line.count(b'\\"'))
        and not any(line.find(b'"', begin, begin + _BLOCK) < 0 for begin in range(0, len(line) - _BLOCK, _BLOCK))
    )


def _check(line: Line) -> None:
    if isinstance(line, RowsLine):
        for row in line.rows:
            check_summary(row)
    elif isinstance(line, EventsLine):
        for event in line.events:
            check_event(event)
    else:
        if not line.sources:
            raise Implausible("a frame of no source")
        if line.overview is not None:
            check_overview(line.overview)
        if line.health is not None:
            check_health(line.health)
