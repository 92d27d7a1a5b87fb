"""``zypher tui --demo``: the dashboard over a simulated system, which lives as time passes."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from zypher_tui.app import Dashboard
from zypher_tui.config import Config
from zypher_tui.core.readings import SourceName
from zypher_tui.feeds import INTERVAL_S, Opener
from zypher_tui.load.desk import ClosedDesk
from zypher_tui.opening import terminal_colours
from zypher_tui.sources.demo import DemoSource, DemoSystem
from zypher_tui.sources.demo.acting import ActingSource
from zypher_tui.sources.demo.desk import DemoDesk
from zypher_tui.sources.demo.hands import Hands
from zypher_tui.sources.demo.watched import WATCHED_S, watch
from zypher_tui.sources.operator import ApiOperator, Operator
from zypher_tui.sources.source import READ_ONLY
from zypher_tui.themes import fitting

DEMO_URL = "http://127.0.0.1:8080"
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

    watched = watch()
    system, hands = watched.system, Hands(watched.system)
    openers: dict[SourceName, Opener] = {
        SourceName.API: lambda: ActingSource(system, hands, clock_s, read_only=read_only),
        SourceName.REDIS: lambda: DemoSource(SourceName.REDIS, system, clock_s),
    }
    return LivingDemo(
        system,
        openers,
        api_url=DEMO_URL,
        interval_s=interval_s,
        store=watched.store(),
        clock_s=clock_s,
        config=config,
        theme=fitting(theme or (config.theme if config else None), colours=terminal_colours()),
        desk=ClosedDesk(READ_ONLY) if read_only else DemoDesk(system, clock_s),
        operator=operator,
        read_only=read_only,
    )
