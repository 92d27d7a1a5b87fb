"""The demo with a clock that a test turns."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from textual.pilot import Pilot

from tests.tui.screen import screen_text, told
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.testing import wait_until
from zypher_tui.demo import LivingDemo, living_demo
from zypher_tui.screens.pane import Filtered
from zypher_tui.sources.demo import DemoSystem
from zypher_tui.sources.demo.records import Run
from zypher_tui.sources.demo.watched import WATCHED_S

STEP_S = 10.0
PROMOTED_AFTER_S = 15.0
"""After the demo's start: a version that fails has been live for 10 s."""


class Living:
    """A demo on a screen; time passes when ``go`` says so."""

    def __init__(self, dashboard: LivingDemo, pilot: Pilot[int], clock: list[float]) -> None:
        self.dashboard = dashboard
        self.pilot = pilot
        self.system = dashboard.system
        self._clock = clock

    async def go(self, seconds: float) -> None:
        """Let so much time pass, in steps that are seen."""
        until_s = self._clock[0] + seconds
        while self._clock[0] < until_s:
            self._clock[0] = min(self._clock[0] + STEP_S, until_s)
            await wait_until(lambda: self.dashboard.view.overview_at_s == WATCHED_S + self._clock[0])

    async def press(self, *keys: str) -> None:
        """Names of keys; what begins with ``'`` is typed."""
        for key in keys:
            await self.pilot.press(*key[1:] if key.startswith("'") else [key])

    async def filter(self, text: str) -> None:
        """Show the predictions that it keeps."""
        self.dashboard.post_message(Filtered(text))
        await self.pilot.pause()

    async def shows(self, *texts: str) -> None:
        """All of it stands on the screen, or pops up there."""
        for text in texts:
            await wait_until(lambda text=text: text in screen_text(self.dashboard) or text in self.popped_up)

    @property
    def popped_up(self) -> str:
        """What pops up, as it was said."""
        return " ".join(told(self.dashboard))

    def runs(self, status: Status, model: str = "") -> list[Run]:
        """Predictions of the system, newest first."""
        return [run for run in self.system.every if run.status is status and model in ("", run.model)]


def system_at(seconds: float) -> DemoSystem:
    """A system that has lived for so long."""
    system = DemoSystem()
    system.advance(seconds)
    return system


@asynccontextmanager
async def living(*, read_only: bool = False) -> AsyncGenerator[Living]:
    """At its start, on a screen of 120 by 36."""
    clock = [0.0]
    dashboard = living_demo(lambda: clock[0], read_only=read_only, interval_s=0.25)
    async with dashboard.run_test(size=(120, 36), notifications=True) as pilot:
        await wait_until(lambda: dashboard.feeds.is_reading)
        yield Living(dashboard, pilot, clock)
