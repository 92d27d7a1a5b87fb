"""A simulated system that somebody has watched for a while, and what is known of it since."""

from collections.abc import Collection, Sequence

import msgspec
from msgspec import structs

from zypher_jobs.contracts.prediction import PredictionSummary
from zypher_tui.core.readings import Reading, SourceName
from zypher_tui.core.store import Store
from zypher_tui.sources.demo.source import DemoSource
from zypher_tui.sources.demo.system import DemoSystem

WATCHED_S = 150
DOWN_S = 12
"""How long that which is down has been down at the end."""
EVERY = 100_000
"""Predictions that are known at the end: all that reading back would find."""


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """A system at the end of that time."""

    system: DemoSystem
    readings: Sequence[Reading]
    """What its sources said meanwhile."""
    known: Sequence[PredictionSummary]
    """The predictions that it still told of."""

    def store(self) -> Store:
        """A new one, of whoever watched."""
        store = Store()
        for reading in self.readings:
            store.fold(reading)
        store.book.fold(reversed(self.known))
        store.departures.hear(self.system.events(None))
        return store


def watch(*, busy: bool = True, down: Collection[SourceName] = ()) -> Watched:
    """``busy``: whether anything happens there. ``down`` is what was away at the end."""
    system, store = DemoSystem(busy=busy), Store()
    readings, known = list[Reading](), list[PredictionSummary]()
    api, redis = (DemoSource(name, system, lambda: float(WATCHED_S)) for name in SourceName)
    last_s = WATCHED_S - DOWN_S - 1 if SourceName.REDIS in down else WATCHED_S
    for second in range(1, WATCHED_S + 1):
        if second == WATCHED_S - DOWN_S:
            system.away.update(down)
        for source in (api, redis):
            if store.links.wants(source.name, second):
                readings.append(_without_predictions(source.read_at(second, overview=True)))
                store.fold(readings[-1])
        if second == last_s:
            known, _ = system.page(None, EVERY)
    return Watched(system=system, readings=readings, known=known)


def _without_predictions(reading: Reading) -> Reading:
    if reading.overview is None:
        return reading
    return structs.replace(reading, overview=structs.replace(reading.overview, latest=[]))
