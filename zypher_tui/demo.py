"""The dashboard over a simulated system that was watched for a while and then stands still: for pictures and tests."""

from collections.abc import Mapping
from functools import cache, partial

from msgspec import structs

from zypher_jobs.contracts.prediction import PredictionSummary
from zypher_tui.app import Dashboard, Opener
from zypher_tui.core.readings import Reading, SourceName
from zypher_tui.core.store import Store
from zypher_tui.sources.demo import DemoSource, DemoSystem

WATCHED_S = 150
DOWN_S = 12
"""How long that which is down has been down at the end."""
EVERY = 100_000
"""Predictions that are known at the end: all that reading back would find."""
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
    system, readings, known = _watched(state)
    for reading in readings:
        store.fold(reading)
    store.book.fold(reversed(known))
    store.departures.hear(system.events(None))
    openers: dict[SourceName, Opener] = {
        name: partial(DemoSource, name, system, lambda: float(WATCHED_S)) for name in SourceName
    }
    return Dashboard(openers, api_url="http://127.0.0.1:8080", store=store, clock_s=lambda: float(WATCHED_S))


@cache
def _watched(state: str) -> tuple[DemoSystem, list[Reading], list[PredictionSummary]]:
    """A system at the end of its time, what its sources said meanwhile, and the predictions that it still told of."""
    system, store = DemoSystem(busy=state != "empty"), Store()
    readings, known = list[Reading](), list[PredictionSummary]()
    api, redis = (DemoSource(name, system, lambda: float(WATCHED_S)) for name in SourceName)
    last_s = WATCHED_S - DOWN_S - 1 if SourceName.REDIS in STATES[state] else WATCHED_S
    for second in range(1, WATCHED_S + 1):
        if second == WATCHED_S - DOWN_S:
            system.away.update(STATES[state])
        for source in (api, redis):
            if store.wants(source.name, second):
                readings.append(_without_predictions(source.read_at(second, overview=True)))
                store.fold(readings[-1])
        if second == last_s:
            known, _ = system.page(None, EVERY)
    return system, readings, known


def _without_predictions(reading: Reading) -> Reading:
    if reading.overview is None:
        return reading
    return structs.replace(reading, overview=structs.replace(reading.overview, latest=[]))
