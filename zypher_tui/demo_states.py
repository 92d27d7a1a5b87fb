"""The dashboard over a simulated system that stands still, in each of its states: for pictures and tests."""

from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path

from zypher_tui.app import Dashboard
from zypher_tui.core.readings import SourceName
from zypher_tui.core.recording import Header
from zypher_tui.core.store import Store
from zypher_tui.demo import DEMO_URL
from zypher_tui.feeds import Opener
from zypher_tui.replaying import ReplayDashboard
from zypher_tui.sources.demo import DemoSource
from zypher_tui.sources.demo.records import START
from zypher_tui.sources.demo.troubles import NOW_S, TROUBLES, Blank
from zypher_tui.sources.demo.watched import WATCHED_S, watch
from zypher_tui.sources.replayed import Replayed

STATES: Mapping[str, tuple[SourceName, ...]] = {
    "live": (),
    "empty": (),
    "connecting": (),
    "api-down": (SourceName.API,),
    "redis-down": (SourceName.REDIS,),
    "both-down": (SourceName.API, SourceName.REDIS),
    "paused": (),
    "replay": (),
}
"""What can be shown, and what is down then."""
BACK_S = 40
"""How far back the past is that ``paused`` and ``replay`` show."""

_watched = cache(watch)
"""It takes a second, and nobody changes it."""


def demo_dashboard(state: str) -> Dashboard:
    """The dashboard in one of ``STATES``, or of ``TROUBLES``."""
    if state == "connecting":
        return Dashboard({}, api_url=DEMO_URL, store=Store(), clock_s=lambda: 0.0)
    if state in TROUBLES:
        return _blank(TROUBLES[state])
    watched = _watched(busy=state != "empty", down=STATES[state])
    if state == "replay":
        return ReplayDashboard(_incident(watched.store()), at_s=WATCHED_S - BACK_S)
    openers: dict[SourceName, Opener] = {
        name: partial(DemoSource, name, watched.system, lambda: float(WATCHED_S)) for name in SourceName
    }
    dashboard = Dashboard(openers, api_url=DEMO_URL, store=watched.store(), clock_s=lambda: float(WATCHED_S))
    if state == "paused":
        dashboard.show_time(WATCHED_S - BACK_S)
    return dashboard


def _blank(blank: Blank) -> Dashboard:
    """Nobody ever brought figures."""
    store = Store(expected={SourceName.API, *(each.source for each in blank.readings)})
    for reading in blank.readings:
        store.fold(reading)
    addresses = blank.addresses
    dashboard = Dashboard({}, api_url=addresses.api_url, store=store, clock_s=lambda: NOW_S, addresses=addresses)
    dashboard.absence.began_s = NOW_S - blank.asked_s
    return dashboard


def _incident(store: Store) -> Replayed:
    """What was watched, as if it had come out of a file."""
    first_s, last_s = store.timeline.first_s or 0.0, store.timeline.last_s or 0.0
    header = Header(version="0.1.0", started_at=START, sources=["api", "redis"])
    return Replayed(path=Path("incident.zyr"), header=header, store=store, first_s=first_s, last_s=last_s, amiss=None)
