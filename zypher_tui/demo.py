"""The dashboard over a simulated system that was watched for a while and then stands still: for pictures and tests."""

from collections.abc import Mapping
from functools import cache, partial

from zypher_tui.app import Dashboard, Opener
from zypher_tui.core.readings import Reading, SourceName
from zypher_tui.core.store import Store
from zypher_tui.sources.demo import DemoSource, DemoSystem

WATCHED_S = 150
DOWN_S = 12
"""How long that which is down has been down at the end."""
STATES: Mapping[str, tuple[SourceName, ...]] = {
    "live": (),
    "empty": (),
    "connecting": (),
    "api-down": (SourceName.API,),
    "redis-down": (SourceName.REDIS,),
    "both-down": (SourceName.API, SourceName.REDIS),
}
"""What can be shown, and what is down then."""


def demo_dashboard(state: str) -> Dashboard:
    """The dashboard in one of ``STATES``."""
    store = Store()
    if state == "connecting":
        return Dashboard({}, api_url="http://127.0.0.1:8080", store=store, clock_s=lambda: 0.0)
    system, readings = _watched(state)
    for reading in readings:
        store.fold(reading)
    openers: dict[SourceName, Opener] = {
        name: partial(DemoSource, name, system, lambda: float(WATCHED_S)) for name in SourceName
    }
    return Dashboard(openers, api_url="http://127.0.0.1:8080", store=store, clock_s=lambda: float(WATCHED_S))


@cache
def _watched(state: str) -> tuple[DemoSystem, list[Reading]]:
    """A system at the end of its time, and what its sources said meanwhile."""
    system, store, readings = DemoSystem(busy=state != "empty"), Store(), list[Reading]()
    api, redis = (DemoSource(name, system, lambda: float(WATCHED_S)) for name in SourceName)
    for second in range(1, WATCHED_S + 1):
        if second == WATCHED_S - DOWN_S:
            system.away.update(STATES[state])
        for source in (redis, api):
            readings.append(source.read_at(second, overview=store.wants_overview(source.name, second)))
            store.fold(readings[-1])
    return system, readings
