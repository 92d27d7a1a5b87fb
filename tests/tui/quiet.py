"""A source in a test's own process, of which the test says only what it is about."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime

from zypher_jobs.contracts.deployment import ModelDetail
from zypher_jobs.contracts.event import Event
from zypher_jobs.contracts.history import HistoryFrame
from zypher_jobs.contracts.prediction import Prediction, PredictionSummary
from zypher_jobs.contracts.webhook import Delivery
from zypher_jobs.errors import UnknownPrediction
from zypher_tui.core.letters import DeadLetters
from zypher_tui.core.life import Given
from zypher_tui.core.readings import Reading, SourceName
from zypher_tui.core.story import Told


class QuietSource:
    """Answers, and knows nothing."""

    name = SourceName.API

    async def read(self, *, overview: bool) -> Reading:
        """Nothing but that it answers."""
        del overview
        return Reading(source=self.name, at_s=1.0)

    async def prediction(self, prediction_id: str) -> Prediction:
        """There is none."""
        raise UnknownPrediction(prediction_id)

    async def given(self, prediction_id: str) -> Given:
        """There is none."""
        raise UnknownPrediction(prediction_id)

    async def traceback(self, prediction_id: str, *, fingerprint: str) -> str:
        """Nothing is told."""
        del prediction_id, fingerprint
        return ""

    async def dead_letters(self, *, model: str, fingerprint: str) -> DeadLetters:
        """None."""
        del model, fingerprint
        return DeadLetters()

    async def deliveries(self, prediction_id: str) -> list[Delivery]:
        """Nobody was told."""
        del prediction_id
        return []

    async def story(self, prediction_id: str) -> AsyncGenerator[list[Told]]:
        """It says nothing."""
        del prediction_id
        await asyncio.Event().wait()
        yield []

    async def page(self, *, before: str | None, limit: int) -> tuple[list[PredictionSummary], str | None]:
        """An empty one, the last."""
        del before, limit
        return [], None

    async def summaries(self, prediction_ids: Sequence[str]) -> list[PredictionSummary]:
        """None of them."""
        del prediction_ids
        return []

    async def running_on(self, worker_id: str) -> list[PredictionSummary]:
        """Nothing."""
        del worker_id
        return []

    async def models(self) -> list[ModelDetail]:
        """None."""
        return []

    async def history(self, *, since: datetime, until: datetime, most: int) -> list[HistoryFrame]:
        """Nothing was recorded."""
        del since, until, most
        return []

    async def events(self, after_id: str | None) -> AsyncGenerator[list[Event]]:
        """Nothing ever happens."""
        del after_id
        await asyncio.Event().wait()
        yield []

    async def aclose(self) -> None:
        """Nothing is open."""
