"""One source of the simulated system, as the dashboard asks it."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import datetime

import msgspec

from zypher_jobs.contracts.deployment import ModelDetail
from zypher_jobs.contracts.event import Event
from zypher_jobs.contracts.history import HistoryFrame
from zypher_jobs.contracts.prediction import Prediction, PredictionSummary
from zypher_jobs.contracts.webhook import Delivery
from zypher_tui.core.letters import DeadLetters
from zypher_tui.core.life import Given
from zypher_tui.core.readings import Reading, SourceName
from zypher_tui.core.story import Told
from zypher_tui.sources.demo.served import as_redis_has_it, models_of
from zypher_tui.sources.demo.system import DemoSystem
from zypher_tui.sources.source import SourceAway

LISTEN_EVERY_S = 0.25


class DemoSource:
    """Reads a ``DemoSystem`` that lives by ``clock_s`` (seconds since its start)."""

    def __init__(self, name: SourceName, system: DemoSystem, clock_s: Callable[[], float]) -> None:
        self.name = name
        self._system = system
        self._clock_s = clock_s

    async def read(self, *, overview: bool) -> Reading:
        """See ``Source``."""
        return self.read_at(self._clock_s(), overview=overview)

    def read_at(self, now_s: float, *, overview: bool) -> Reading:
        """What ``read`` says at that time."""
        system = self._system
        system.advance(now_s)
        if self.name in system.away:
            return Reading(source=self.name, at_s=now_s, error="connection refused")
        figures = overview and SourceName.REDIS not in system.away
        return Reading(
            source=self.name,
            at_s=now_s,
            latency_ms=1.2 if self.name is SourceName.API else 0.3,
            overview=system.overview() if figures else None,
            overview_error="Redis is away" if overview and not figures else None,
            health=system.health() if self.name is SourceName.API else None,
        )

    async def prediction(self, prediction_id: str) -> Prediction:
        """See ``Source``."""
        return self._reached.prediction(prediction_id)

    async def given(self, prediction_id: str) -> Given:
        """See ``Source``."""
        value = self._reached.given(prediction_id)
        return Given(json=msgspec.json.encode(value).decode(), is_whole=True)

    async def traceback(self, prediction_id: str, *, fingerprint: str) -> str:
        """See ``Source``."""
        del fingerprint
        letters = self._reached.dead_letters()
        return next((each.traceback for each in letters if each.prediction_id == prediction_id), "")

    async def dead_letters(self, *, model: str, fingerprint: str) -> DeadLetters:
        """See ``Source``."""
        found = self._reached.dead_letters()
        letters = [each for each in found if model in ("", each.model) and fingerprint in ("", each.fingerprint)]
        return DeadLetters(groups=self._reached.dead_letter_groups(), letters=letters)

    async def deliveries(self, prediction_id: str) -> list[Delivery]:
        """See ``Source``; the API alone tells them."""
        if self.name is SourceName.REDIS:
            raise SourceAway("only the API tells them")
        return self._reached.deliveries(prediction_id)

    async def story(self, prediction_id: str) -> AsyncGenerator[list[Told]]:
        """See ``Source``; the API alone tells it."""
        if self.name is SourceName.REDIS:
            raise SourceAway("only the API tells it")
        heard = 0
        while True:
            told = self._reached.story(prediction_id)
            if told[heard:]:
                yield told[heard:]
            if told and told[-1].kind == "end":
                return
            heard = len(told)
            await asyncio.sleep(LISTEN_EVERY_S)

    async def page(self, *, before: str | None, limit: int) -> tuple[list[PredictionSummary], str | None]:
        """See ``Source``."""
        return self._reached.page(before, limit)

    async def summaries(self, prediction_ids: Sequence[str]) -> list[PredictionSummary]:
        """See ``Source``."""
        return self._reached.summaries(prediction_ids)

    async def running_on(self, worker_id: str) -> list[PredictionSummary]:
        """See ``Source``."""
        return self._reached.running_on(worker_id)

    async def models(self) -> list[ModelDetail]:
        """See ``Source``."""
        models = models_of(self._reached)
        return models if self.name is SourceName.API else [as_redis_has_it(model) for model in models]

    async def history(self, *, since: datetime, until: datetime, most: int) -> list[HistoryFrame]:
        """Nothing was recorded."""
        del since, until, most
        return []

    async def events(self, after_id: str | None) -> AsyncGenerator[list[Event]]:
        """See ``Source``."""
        last = self._reached.last_event_id if after_id is None else after_id
        while True:
            self._reached.advance(self._clock_s())
            if batch := self._reached.events(last):
                last = batch[-1].event_id
                yield batch
            await asyncio.sleep(LISTEN_EVERY_S)

    async def aclose(self) -> None:
        """See ``Source``."""

    @property
    def _reached(self) -> DemoSystem:
        """The system, if it is not away."""
        if self.name in self._system.away:
            raise SourceAway("connection refused")
        if SourceName.REDIS in self._system.away:
            raise SourceAway("Redis is away")
        return self._system
