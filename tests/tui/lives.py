"""One prediction's life, open on a dashboard: over a source that says what the test wants, or over a real API."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from textual.pilot import Pilot

from tests.api.running import RunningApi
from tests.tui.facts import health, overview, reading
from tests.tui.quiet import QuietSource
from zypher_jobs.contracts.prediction import Prediction, PredictionSummary
from zypher_jobs.contracts.webhook import Delivery
from zypher_jobs.testing import wait_until
from zypher_tui.app import Dashboard
from zypher_tui.core.life import Given
from zypher_tui.core.readings import Reading, SourceName
from zypher_tui.core.story import Told
from zypher_tui.opening import openers_of
from zypher_tui.sources.source import SourceAway
from zypher_tui.widgets.predictions import PredictionTable


class Api(QuietSource):
    """Knows some predictions whole."""

    def __init__(self, *predictions: Prediction, input_json: str = '{"input":"hello"}') -> None:
        self.predictions = {each.prediction_id: each for each in predictions}
        self.input_json = input_json
        self.reads = 0
        self.told: Sequence[Sequence[Told]] = ()
        self.sent: list[Delivery] = []
        self.is_away = False

    async def read(self, *, overview: bool) -> Reading:
        """The lines of all of them."""
        del overview
        return reading(SourceName.API, 1.0, overview=lines_of(self.predictions.values()), health=health())

    async def summaries(self, prediction_ids: Sequence[str]) -> list[PredictionSummary]:
        """Their lines."""
        return lines_of(self.predictions[each] for each in prediction_ids if each in self.predictions).latest

    async def prediction(self, prediction_id: str) -> Prediction:
        """As it stands."""
        self.reads += 1
        if self.is_away:
            raise SourceAway("connection refused")
        return self.predictions.get(prediction_id) or await super().prediction(prediction_id)

    async def given(self, prediction_id: str) -> Given:
        """The same for each."""
        return Given(json=self.input_json, is_whole=True)

    async def deliveries(self, prediction_id: str) -> list[Delivery]:
        """What the test put there."""
        return self.sent

    async def story(self, prediction_id: str) -> AsyncGenerator[list[Told]]:
        """What the test put there, and then silence."""
        for each in self.told:
            yield list(each)
        async for each in super().story(prediction_id):
            yield each


def lines_of(predictions: Any) -> Any:
    """An overview with them."""
    names = set(PredictionSummary.__struct_fields__) & set(Prediction.__struct_fields__)
    latest = [
        PredictionSummary(**{name: getattr(each, name) for name in names}, fingerprint="f" * 8 if each.error else "")
        for each in predictions
    ]
    return overview(latest=sorted(latest, key=lambda each: each.created_at, reverse=True))


@asynccontextmanager
async def dashboard_on(api: RunningApi) -> AsyncGenerator[tuple[Dashboard, Pilot[int]]]:
    """The dashboard over it, and a pilot for its keys."""
    url = f"http://127.0.0.1:{api.settings.port}"
    dashboard = Dashboard(openers_of(url, api.settings.redis_url), api_url=url, interval_s=0.1)
    async with dashboard.run_test(size=(120, 60), notifications=True) as pilot:
        yield dashboard, pilot


async def open_newest(dashboard: Dashboard, pilot: Pilot[int], *, known: int) -> None:
    """Once so many are in the list."""
    table = dashboard.pane.first
    assert isinstance(table, PredictionTable)
    await wait_until(lambda: table.virtual_size.height == known + 1)
    await pilot.press("enter")
