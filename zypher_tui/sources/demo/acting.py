"""The simulated API, when it can be acted on."""

from collections.abc import Callable

import msgspec

from zypher_jobs.errors import InvalidInput, ZypherError
from zypher_tui.core.readings import SourceName
from zypher_tui.core.traffic import ModelChange
from zypher_tui.sources.demo.hands import Hands
from zypher_tui.sources.demo.source import DemoSource
from zypher_tui.sources.demo.system import DemoSystem
from zypher_tui.sources.source import READ_ONLY, Intake, Order, Refused


class ActingSource(DemoSource):
    """Takes predictions, and changes how models are deployed."""

    def __init__(
        self, system: DemoSystem, hands: Hands, clock_s: Callable[[], float], *, read_only: bool = False
    ) -> None:
        super().__init__(SourceName.API, system, clock_s)
        self._hands = hands
        self._read_only = read_only

    @property
    def why_not(self) -> str:
        """See ``Submits`` and ``Deploys``."""
        return READ_ONLY if self._read_only else ""

    async def intake(self, model: str) -> Intake:
        """See ``Submits``."""
        system = self._reached
        deployed = system.deployments.of(model).model
        versions = tuple(each.name for each in deployed.versions if each.is_there(system.now_s))
        return Intake(versions=versions, schema=dict(deployed.schema))

    async def submit(self, order: Order) -> str:
        """See ``Submits``."""
        self._reached.advance(self._clock_s())
        given = msgspec.json.decode(order.input_json)
        try:
            run = self._hands.submit(order.model, given, version=order.version, priority=order.priority)
        except InvalidInput as error:
            raise Refused(f"{error.field}: {error.message}") from error
        except ZypherError as error:
            raise Refused(error.message) from error
        return run.prediction_id

    async def change_model(self, change: ModelChange) -> None:
        """See ``Deploys``."""
        self._reached.advance(self._clock_s())
        try:
            self._hands.change(change)
        except ZypherError as error:
            raise Refused(error.message.rstrip(".")) from error
