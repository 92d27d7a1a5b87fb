"""The dashboard over a simulated system, watched for a while: it goes on, or stands still for pictures and tests."""

import time
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from msgspec import structs

from zypher_jobs.contracts.prediction import PredictionSummary
from zypher_tui.app import Dashboard
from zypher_tui.config import Config
from zypher_tui.core.readings import Reading, SourceName
from zypher_tui.core.recording import Header
from zypher_tui.core.store import Store
from zypher_tui.feeds import INTERVAL_S, Opener
from zypher_tui.load.desk import ClosedDesk
from zypher_tui.opening import terminal_colours
from zypher_tui.replaying import ReplayDashboard
from zypher_tui.sources.demo import DemoSource, DemoSystem
from zypher_tui.sources.demo.acting import ActingSource
from zypher_tui.sources.demo.desk import DemoDesk
from zypher_tui.sources.demo.hands import Hands
from zypher_tui.sources.demo.records import START
from zypher_tui.sources.demo.troubles import NOW_S, TROUBLES, Blank
from zypher_tui.sources.operator import ApiOperator, Operator
from zypher_tui.sources.replayed import Replayed
from zypher_tui.sources.source import READ_ONLY
from zypher_tui.themes import fitting

WATCHED_S = 150
DEMO_URL = "http://127.0.0.1:8080"
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
    "paused": (),
    "replay": (),
}
"""What can be shown, and what is down then."""
BACK_S = 40
"""How far back the past is that ``paused`` and ``replay`` show."""


IS_DEMO = "This is a demo: a simulated system, on which every key does what it does. Nothing leaves this terminal."


class LivingDemo(Dashboard):
    """Over a system that lives; says what it is."""

    def __init__(self, system: DemoSystem, openers: Mapping[SourceName, Opener], **given: Any) -> None:
        super().__init__(openers, **given)
        self.system = system

    def on_mount(self) -> None:
        """After the dashboard's own."""
        self.notify(IS_DEMO, timeout=6, markup=False)


def run_demo(config: Config, *, theme: str | None = None, read_only: bool = False) -> int:
    """Show a simulated system that lives as time passes, with no server; returns the exit code."""
    return living_demo(time.monotonic, config, theme=theme, read_only=read_only).run_here()


def living_demo(
    time_s: Callable[[], float],
    config: Config | None = None,
    *,
    theme: str | None = None,
    read_only: bool = False,
    interval_s: float = INTERVAL_S,
) -> LivingDemo:
    """The same at the same time after its start, and after the same keys at the same times.

    It has been watched for ``WATCHED_S``, and goes on from there.
    """
    began_s = time_s()

    def clock_s() -> float:
        return WATCHED_S + time_s() - began_s

    def operator() -> Operator:
        from zypher_tui.sources.demo.api import SimulatedApi  # noqa: PLC0415  # 120 ms, when somebody acts

        return ApiOperator(DEMO_URL, transport=SimulatedApi(system, hands, clock_s))

    store = Store()
    system, readings, known = _watch("live")
    hands = Hands(system)
    for reading in readings:
        store.fold(reading)
    store.book.fold(reversed(known))
    store.departures.hear(system.events(None))
    openers: dict[SourceName, Opener] = {
        SourceName.API: lambda: ActingSource(system, hands, clock_s, read_only=read_only),
        SourceName.REDIS: lambda: DemoSource(SourceName.REDIS, system, clock_s),
    }
    return LivingDemo(
        system,
        openers,
        api_url=DEMO_URL,
        interval_s=interval_s,
        store=store,
        clock_s=clock_s,
        config=config,
        theme=fitting(theme or (config.theme if config else None), colours=terminal_colours()),
        desk=ClosedDesk(READ_ONLY) if read_only else DemoDesk(system, clock_s),
        operator=operator,
        read_only=read_only,
    )


def demo_dashboard(state: str) -> Dashboard:
    """The dashboard in one of ``STATES``."""
    store = Store()
    if state == "connecting":
        return Dashboard({}, api_url="http://127.0.0.1:8080", store=store, clock_s=lambda: 0.0)
    if state in TROUBLES:
        return _blank(TROUBLES[state])
    system, readings, known = _watched(state)
    for reading in readings:
        store.fold(reading)
    store.book.fold(reversed(known))
    store.departures.hear(system.events(None))
    openers: dict[SourceName, Opener] = {
        name: partial(DemoSource, name, system, lambda: float(WATCHED_S)) for name in SourceName
    }
    if state == "replay":
        return ReplayDashboard(_incident(store), at_s=WATCHED_S - BACK_S)
    dashboard = Dashboard(openers, api_url="http://127.0.0.1:8080", store=store, clock_s=lambda: float(WATCHED_S))
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


def _watch(state: str) -> tuple[DemoSystem, list[Reading], list[PredictionSummary]]:
    """A system at the end of its time, what its sources said meanwhile, and the predictions that it still told of."""
    system, store = DemoSystem(busy=state != "empty"), Store()
    readings, known = list[Reading](), list[PredictionSummary]()
    api, redis = (DemoSource(name, system, lambda: float(WATCHED_S)) for name in SourceName)
    last_s = WATCHED_S - DOWN_S - 1 if SourceName.REDIS in STATES[state] else WATCHED_S
    for second in range(1, WATCHED_S + 1):
        if second == WATCHED_S - DOWN_S:
            system.away.update(STATES[state])
        for source in (api, redis):
            if store.links.wants(source.name, second):
                readings.append(_without_predictions(source.read_at(second, overview=True)))
                store.fold(readings[-1])
        if second == last_s:
            known, _ = system.page(None, EVERY)
    return system, readings, known


_watched = cache(_watch)
"""For those that stand still."""


def _without_predictions(reading: Reading) -> Reading:
    if reading.overview is None:
        return reading
    return structs.replace(reading, overview=structs.replace(reading.overview, latest=[]))
