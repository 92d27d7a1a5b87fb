"""What every source can be asked, and how its failure reads."""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

import msgspec

from zypher_jobs.contracts.deployment import ModelDetail
from zypher_jobs.contracts.event import Event
from zypher_jobs.contracts.history import HistoryFrame
from zypher_jobs.contracts.prediction import Prediction, PredictionSummary, Priority
from zypher_jobs.contracts.webhook import Delivery
from zypher_tui.core.letters import DeadLetters
from zypher_tui.core.life import Given
from zypher_tui.core.readings import Fault, Reading, SourceName
from zypher_tui.core.story import Told
from zypher_tui.core.traffic import ModelChange

MOST_IDS = 200
"""Predictions asked for by their ids at once."""
MOST_LETTERS = 200
"""Newest dead letters among which one is looked for."""


class SourceAway(Exception):  # a state of the world, as it is shown
    """A source does not bring what it was asked for; the message is the end of a sentence: ``connection refused``."""

    def __init__(self, message: str, fault: Fault | None = None) -> None:
        super().__init__(message)
        self.fault = fault


READ_ONLY = "This dashboard is read-only (--read-only): it changes nothing."


class Refused(Exception):  # an answer, as it is shown
    """What was sent is not taken; the message says why, with the path of the field."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A prediction to be asked for."""

    model: str
    version: str
    """Empty: the live one."""
    priority: Priority
    input_json: str


class Intake(msgspec.Struct, frozen=True, kw_only=True):
    """What a model takes."""

    versions: tuple[str, ...]
    """Those that are served."""
    schema: dict[str, Any]
    """JSON Schema of an input of a live one; not cleaned."""


@runtime_checkable
class Submits(Protocol):
    """A source that takes predictions too."""

    @property
    def why_not(self) -> str:
        """Why it takes none; empty: it does."""
        ...

    async def intake(self, model: str) -> Intake:
        """Raises ``SourceAway``."""
        ...

    async def submit(self, order: Order) -> str:
        """Queue it; returns its id. Raises ``Refused`` and ``SourceAway``."""
        ...


@runtime_checkable
class Deploys(Protocol):
    """A source that changes how models are deployed too."""

    @property
    def why_not(self) -> str:
        """Why it changes none; empty: it does."""
        ...

    async def change_model(self, change: ModelChange) -> None:
        """Do it, which may take as long as a model takes to load. Raises ``Refused`` and ``SourceAway``."""
        ...


class Source(Protocol):
    """One way to the facts. What it returns is clean; see ``core.cleaning``."""

    @property
    def name(self) -> SourceName:
        """Who is asked."""
        ...

    async def read(self, *, overview: bool) -> Reading:
        """The state now, with figures if ``overview``. Raises nothing for an outage: that is a reading too."""
        ...

    async def prediction(self, prediction_id: str) -> Prediction:
        """One prediction whole. Raises ``SourceAway``; ``UnknownPrediction`` when nothing is known of it."""
        ...

    async def given(self, prediction_id: str) -> Given:
        """Its input. Raises ``SourceAway``, also where that is not kept; ``UnknownPrediction``."""
        ...

    async def traceback(self, prediction_id: str, *, fingerprint: str) -> str:
        """Where the model failed, of a dead letter with that fingerprint; empty where nothing is told. Not cleaned.

        Raises ``SourceAway``.
        """
        ...

    async def dead_letters(self, *, model: str, fingerprint: str) -> DeadLetters:
        """All groups, and the newest letters of that model and kind, if one is named. Raises ``SourceAway``."""
        ...

    async def deliveries(self, prediction_id: str) -> list[Delivery]:
        """What its webhooks were told. Raises ``SourceAway``, also where it cannot be asked for that."""
        ...

    def story(self, prediction_id: str) -> AsyncGenerator[list[Told]]:
        """What it says from its beginning to its end, as it comes. Raises ``SourceAway`` when it breaks off."""
        ...

    async def page(self, *, before: str | None, limit: int) -> tuple[list[PredictionSummary], str | None]:
        """Up to ``limit`` predictions, newest first, and the cursor of those before them. Raises ``SourceAway``."""
        ...

    async def summaries(self, prediction_ids: Sequence[str]) -> list[PredictionSummary]:
        """Those of the (at most ``MOST_IDS``) that are still there, in any order. Raises ``SourceAway``."""
        ...

    async def history(self, *, since: datetime, until: datetime, most: int) -> list[HistoryFrame]:
        """What was recorded of that time, oldest first, evenly apart. Raises ``SourceAway``."""
        ...

    async def running_on(self, worker_id: str) -> list[PredictionSummary]:
        """What a worker runs, of the newest that run; nothing of one that is gone. Raises ``SourceAway``."""
        ...

    async def models(self) -> list[ModelDetail]:
        """Every model with its versions, by name; out of Redis without schemas and batches. Raises ``SourceAway``."""
        ...

    def events(self, after_id: str | None) -> AsyncGenerator[list[Event]]:
        """What happens from now on, or behind that event, as it comes. Raises ``SourceAway`` when it breaks off."""
        ...

    async def aclose(self) -> None:
        """Let go of connections."""
        ...
