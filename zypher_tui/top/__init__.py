"""``zypher top``: the dashboard's facts as plain text or JSON, once or again and again, or checked, without a terminal.

Loads neither Textual nor httpx (0.3 s together): one look needs a blocking ``http.client`` only, and Redis is asked
itself only when the API brings no figures.
"""

import contextlib
import sys
import time

import msgspec

from zypher_jobs.contracts.stats import Health, Overview
from zypher_tui.core import checks
from zypher_tui.core.readings import SourceName
from zypher_tui.core.store import Store
from zypher_tui.core.view import Link
from zypher_tui.top.asking import Sources, ask
from zypher_tui.top.replayed import Moment, Seen, seen_at
from zypher_tui.top.text import text_of

__all__ = ["Moment", "Part", "Snapshot", "Sources", "check_once", "print_again", "print_once", "text_of"]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """How it stands with the API or Redis."""

    status: Link
    latency_ms: float | None = None
    reason: str | None = None


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What ``--json`` prints: one object in one line."""

    sources: dict[SourceName, Part]
    figures_from: SourceName | None
    """Which source the overview is from."""
    health: Health | None
    overview: Overview | None


def print_once(origin: Sources | Moment, *, as_json: bool) -> int:
    """Print the facts; returns 0, or 1 with a sentence on stderr when no source answers.

    Of a recording also what was so while nothing answered. Raises ``WrongRecording``.
    """
    seen = _seen(origin)
    if isinstance(origin, Sources) and not _any_answers(seen):
        return 1
    sys.stdout.write(_json_of(seen) if as_json else "\n".join(text_of(seen.view)) + "\n")
    return 0


def print_again(sources: Sources, *, every_s: float) -> int:
    """Print the facts as one JSON object a line, again and again, until interrupted; also while nothing answers."""
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        while True:
            began_s = time.monotonic()
            sys.stdout.write(_json_of(_seen(sources)))
            sys.stdout.flush()
            time.sleep(max(0.0, began_s + every_s - time.monotonic()))
    return 0


def check_once(origin: Sources | Moment, conditions: str) -> int:
    """Print how each condition stands; 0 when all hold, 1 when one does not, 3 when no source answers.

    Raises ``checks.WrongCheck``, ``WrongRecording``.
    """
    parsed = checks.parse(conditions)
    seen = _seen(origin)
    if not _any_answers(seen):
        return 3
    outcomes = checks.check(parsed, seen.view, seen.overview)
    for outcome in outcomes:
        sys.stdout.write(f"{outcome}\n")
    return 0 if all(outcome.holds for outcome in outcomes) else 1


def _seen(origin: Sources | Moment) -> Seen:
    if isinstance(origin, Moment):
        seen = seen_at(origin)
        if seen.amiss:
            sys.stderr.write(f"{origin.path}: {seen.amiss}\n")
        return seen
    readings = ask(origin)
    store = Store(expected=[reading.source for reading in readings])
    for reading in readings:
        store.fold(reading)
    overview = next((reading.overview for reading in readings if reading.overview), None)
    return Seen(readings=readings, view=store.view(readings[-1].at_s), overview=overview)


def _any_answers(seen: Seen) -> bool:
    if all(reading.error is not None for reading in seen.readings):
        causes = "; ".join(f"{reading.source.label}: {reading.error}" for reading in seen.readings)
        sys.stderr.write(
            f"Nothing answered at that time ({causes}).\n"
            if seen.is_past
            else f"Nothing answers ({causes}). `zypher up` starts everything.\n"
        )
        return False
    return True


def _json_of(seen: Seen) -> str:
    sources = {
        link.source: Part(status=link.link, latency_ms=link.latency_ms, reason=link.reason) for link in seen.view.links
    }
    snapshot = Snapshot(
        sources=sources,
        figures_from=seen.view.figures_from,
        health=next((reading.health for reading in seen.readings if reading.health), None),
        overview=seen.overview,
    )
    return msgspec.json.encode(snapshot).decode() + "\n"
