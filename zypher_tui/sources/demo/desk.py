"""Where loads on the simulated system are started and stopped."""

from collections.abc import Callable, Sequence

import msgspec

from zypher_tui.load.desk import Offer
from zypher_tui.load.plan import Plan
from zypher_tui.load.report import Report
from zypher_tui.sources.demo.load import SimulatedLoad
from zypher_tui.sources.demo.system import DemoSystem


class DemoDesk:
    """See ``load.desk.Desk``."""

    why_not: str | None = None
    trouble = ""

    def __init__(self, system: DemoSystem, clock_s: Callable[[], float]) -> None:
        self._system = system
        self._clock_s = clock_s
        self._load: SimulatedLoad | None = None
        self._started = 0

    @property
    def report(self) -> Report | None:
        """See ``Desk``."""
        if self._load is None:
            return None
        self._system.advance(self._clock_s())
        return self._load.report()

    async def offers(self) -> list[Offer]:
        """See ``Desk``."""
        models = [each.model for each in self._system.deployments.all]
        return [Offer(name=model.name, example=msgspec.json.encode(model.input_example)) for model in models]

    def start(self, plan: Plan, inputs: Sequence[bytes]) -> None:
        """See ``Desk``."""
        self.close()
        self._system.advance(self._clock_s())
        self._started += 1
        self._load = SimulatedLoad(plan, inputs, self._system, number=self._started)
        self._system.guests.append(self._load.step)

    def stop(self) -> None:
        """See ``Desk``."""
        if self._load is not None:
            self._system.advance(self._clock_s())
            self._load.stop()

    def cancel_open(self) -> None:
        """See ``Desk``."""
        if self._load is not None:
            self._system.advance(self._clock_s())
            self._load.cancel_open()

    def close(self) -> None:
        """See ``Desk``."""
        self._system.guests.clear()
        self._load = None
