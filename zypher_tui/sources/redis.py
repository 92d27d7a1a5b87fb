"""Facts from Redis itself, for when the API is away; and whether Redis answers."""

import time
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import aclosing, contextmanager
from datetime import datetime

import msgspec

from zypher_jobs.contracts.deployment import ModelDetail
from zypher_jobs.contracts.event import Event
from zypher_jobs.contracts.history import HistoryFrame
from zypher_jobs.contracts.operation import Selection
from zypher_jobs.contracts.prediction import Prediction, PredictionSummary, Status
from zypher_jobs.contracts.webhook import Delivery
from zypher_jobs.errors import Conflict, RedisUnavailable, UnknownPrediction
from zypher_jobs.queue.connection import connect
from zypher_jobs.queue.deployments import Deployments
from zypher_jobs.queue.inspect import GROUPED, Inspector
from zypher_jobs.queue.selecting import select
from zypher_tui.core.cleaning import clean, cleaned
from zypher_tui.core.letters import DeadLetters
from zypher_tui.core.life import Given, given_of
from zypher_tui.core.readings import Fault, Reading, SourceName, ending
from zypher_tui.core.story import Told
from zypher_tui.sources.deployed import deployed_models
from zypher_tui.sources.failures import Failure, failure_of, named
from zypher_tui.sources.source import MOST_LETTERS, SourceAway

TIMEOUT_S = 1.5
SEARCHED = 2_000
"""Running predictions that are looked at for those of one worker."""
LATEST = 100
"""Predictions asked for."""


class RedisSource:
    """Reads the Redis at ``url``, which is never shown: it may hold a password."""

    name = SourceName.REDIS

    def __init__(self, url: str) -> None:
        self._redis = connect(url, timeout_s=TIMEOUT_S)
        self._inspector = Inspector(self._redis)
        self._deployments = Deployments(self._redis)

    async def read(self, *, overview: bool) -> Reading:
        """See ``Source``."""
        try:
            figures = cleaned(await self._inspector.overview(latest=LATEST)) if overview else None
            latency_ms = figures.redis_ms if figures else await self._inspector.ping()
        except RedisUnavailable as error:
            failed = _failure(error)
            return Reading(source=self.name, at_s=time.monotonic(), error=failed.says, fault=failed.fault)
        return Reading(source=self.name, at_s=time.monotonic(), latency_ms=latency_ms, overview=figures)

    async def prediction(self, prediction_id: str) -> Prediction:
        """See ``Source``."""
        with _away():
            whole = await self._inspector.prediction(prediction_id)
        return msgspec.structs.replace(cleaned(msgspec.structs.replace(whole, output=None)), output=whole.output)

    async def given(self, prediction_id: str) -> Given:
        """See ``Source``; where it is not kept, out of the preview, which is all of a short one."""
        with _away():
            try:
                value = await self._inspector.input_of(prediction_id)
            except Conflict as error:
                why = ending(clean(error.message))
            else:
                return Given(json=msgspec.json.encode(value).decode(), is_whole=True)
            whole = await self._inspector.prediction(prediction_id)
            (summary,) = await self._inspector.summaries([prediction_id])
        if summary is None:
            raise UnknownPrediction(prediction_id)
        return given_of(summary.input_preview, size_bytes=whole.input_bytes, why=why)

    async def traceback(self, prediction_id: str, *, fingerprint: str) -> str:
        """See ``Source``."""
        del fingerprint
        with _away():
            letters = await self._inspector.dead_letters(limit=MOST_LETTERS)
        return next((each.traceback for each in letters if each.prediction_id == prediction_id), "")

    async def dead_letters(self, *, model: str, fingerprint: str) -> DeadLetters:
        """See ``Source``."""
        with _away():
            groups = await self._inspector.dead_letter_groups()
            found = await self._inspector.dead_letters(limit=GROUPED if model or fingerprint else MOST_LETTERS)
        letters = [
            msgspec.structs.replace(each, traceback="")
            for each in found
            if model in ("", each.model) and fingerprint in ("", each.fingerprint)
        ]
        return cleaned(DeadLetters(groups=groups, letters=letters[:MOST_LETTERS]))

    async def deliveries(self, prediction_id: str) -> list[Delivery]:
        """See ``Source``; they are read through the API only."""
        del prediction_id
        raise SourceAway("only the API tells them")

    async def story(self, prediction_id: str) -> AsyncGenerator[list[Told]]:
        """See ``Source``; it is told by the API only."""
        del prediction_id
        raise SourceAway("only the API tells it")
        yield []

    async def page(self, *, before: str | None, limit: int) -> tuple[list[PredictionSummary], str | None]:
        """See ``Source``."""
        with _away():
            found, following = await self._inspector.list_predictions(before=before, limit=limit)
        return cleaned(found), following

    async def summaries(self, prediction_ids: Sequence[str]) -> list[PredictionSummary]:
        """See ``Source``."""
        with _away():
            found = await self._inspector.summaries(prediction_ids)
        return cleaned([each for each in found if each is not None])

    async def running_on(self, worker_id: str) -> list[PredictionSummary]:
        """See ``Source``."""
        with _away():
            running = await select(self._inspector, Selection(), (Status.RUNNING,), limit=SEARCHED, most=SEARCHED)
        return cleaned([each for each in running.found if each.worker == worker_id])

    async def models(self) -> list[ModelDetail]:
        """See ``Source``."""
        with _away():
            return cleaned(await deployed_models(self._deployments))

    async def history(self, *, since: datetime, until: datetime, most: int) -> list[HistoryFrame]:
        """See ``Source``."""
        with _away():
            return cleaned(await self._inspector.history(since=since, until=until, most=most))

    async def events(self, after_id: str | None) -> AsyncGenerator[list[Event]]:
        """See ``Source``."""
        with _away():
            await self._inspector.ping()  # the stream itself would wait for Redis to come back
        async with aclosing(self._inspector.follow(after_id or "$")) as happening:
            async for event in happening:
                yield [cleaned(event)]

    async def aclose(self) -> None:
        """See ``Source``."""
        await self._deployments.aclose()
        await self._inspector.aclose()
        await self._redis.aclose(close_connection_pool=True)


def _failure(error: RedisUnavailable) -> Failure:
    """What the queue calls it; why it cannot be reached in more words than callers of the API are told."""
    if (fault := named(error)) is not None:
        return Failure(ending(clean(error.message)), fault)
    found = failure_of(error, timeout_s=TIMEOUT_S)
    return Failure(ending(clean(error.message)), Fault.OTHER) if found.fault is Fault.OTHER else found


@contextmanager
def _away() -> Generator[None]:
    try:
        yield
    except RedisUnavailable as error:
        raise SourceAway(ending(clean(error.message))) from error
