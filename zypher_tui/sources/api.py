"""Facts from the API: ``/health/live`` for its latency, ``/health`` and ``/stats`` for the rest."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from zypher_jobs.contracts.deployment import ModelDetail
from zypher_jobs.contracts.event import Event
from zypher_jobs.contracts.history import HistoryFrame
from zypher_jobs.contracts.prediction import Prediction, PredictionSummary
from zypher_jobs.contracts.stats import Health, Overview
from zypher_jobs.contracts.webhook import Delivery
from zypher_jobs.errors import UnknownPrediction
from zypher_tui.core.letters import DeadLetters
from zypher_tui.core.life import Given
from zypher_tui.core.readings import Fault, Reading, SourceName, ending
from zypher_tui.core.story import Told
from zypher_tui.core.traffic import Deed, ModelChange
from zypher_tui.sources import answers
from zypher_tui.sources.events import EventParser, StoryParser
from zypher_tui.sources.failures import Failure, failure_of, reason
from zypher_tui.sources.source import MOST_IDS, MOST_LETTERS, READ_ONLY, Intake, Order, Refused, SourceAway

LATEST = 100
"""Predictions asked for."""
LOOK_EVERY_S = 3.0
"""Time between two looks at an API that is well; as soon as it brings no figures, it is looked at."""
CONNECT_TIMEOUT_S = 1.5
ANSWER_TIMEOUT_S = 3.0
"""Longer than the API's own wait for Redis, whose end it reports."""
CHANGE_TIMEOUT_S = 90.0
"""Longer than the API by itself waits for every process to have a version ready."""
SILENCE_S = 40.0
"""A stream of events is broken when it says nothing for longer; it sends a heartbeat every 15 s."""

_CHANGES = {
    Deed.SWITCH: ("PUT", "/models/{name}/live"),
    Deed.ROLL_BACK: ("POST", "/models/{name}/rollback"),
    Deed.LOAD: ("POST", "/v2/repository/models/{name}/load"),
    Deed.UNLOAD: ("POST", "/v2/repository/models/{name}/unload"),
}


class _Look(msgspec.Struct, frozen=True, kw_only=True):
    """How the API was."""

    at_s: float
    latency_ms: float
    health: Health | None


class ApiSource:
    """Reads the API at ``url``."""

    name = SourceName.API

    def __init__(self, url: str, *, api_key: str | None = None, read_only: bool = False) -> None:
        """``read_only`` refuses whatever would change something."""
        self._read_only = read_only
        loopback = (urlsplit(url).hostname or "") in ("127.0.0.1", "localhost", "::1")
        self._well: _Look | None = None
        """The last look, if all was well."""
        self._client = httpx.AsyncClient(
            base_url=url,
            headers={"authorization": f"Bearer {api_key}"} if api_key else None,
            timeout=httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            trust_env=not loopback,  # a proxy of the environment cannot reach this machine's loopback
            verify=url.startswith(
                "https:"
            ),  # plain HTTP does not need the certificate store, which takes 20 ms to load
        )

    async def read(self, *, overview: bool) -> Reading:
        """See ``Source``. The latency is that of ``/health/live``, which asks nobody else."""
        well = self._well
        if overview and well is not None and time.monotonic() - well.at_s < LOOK_EVERY_S:
            figures = await self._overview()
            if isinstance(figures, Overview):
                return self._reading(well, figures)
        return await self._look(overview=overview)

    async def _look(self, *, overview: bool) -> Reading:
        """How the API is, and what it says."""
        self._well = None
        started_s = time.perf_counter()
        try:
            live = await self._client.get("/health/live")
        except httpx.HTTPError as error:
            return self._away(failure_of(error, timeout_s=ANSWER_TIMEOUT_S))
        latency_ms = (time.perf_counter() - started_s) * 1000
        try:
            headers = {name: live.headers.get(name, "") for name in ("server", "location")}
            answers.check_live(live.status_code, live.content, **headers)
        except SourceAway as error:
            return self._away(Failure(str(error), error.fault or Fault.OTHER))
        health, figures = await asyncio.gather(self._health(), self._overview() if overview else _nothing())
        found = _Look(at_s=time.monotonic(), latency_ms=latency_ms, health=health)
        if health is not None and health.status == "ok":
            self._well = found
        return self._reading(found, figures)

    def _reading(self, look: "_Look", figures: Overview | Failure | None) -> Reading:
        now_s = time.monotonic()
        health, failed = look.health, figures if isinstance(figures, Failure) else None
        if health is not None:
            health = msgspec.structs.replace(health, uptime_s=health.uptime_s + now_s - look.at_s)
        return Reading(
            source=self.name,
            at_s=now_s,
            latency_ms=look.latency_ms,
            health=health,
            overview=figures if isinstance(figures, Overview) else None,
            overview_error=failed.says if failed else None,
            fault=failed.fault if failed else None,
        )

    async def prediction(self, prediction_id: str) -> Prediction:
        """See ``Source``."""
        answer = await self._get(f"/predict/{prediction_id}")
        if answer.status_code == 404:
            raise UnknownPrediction(prediction_id)
        return answers.prediction(answer.status_code, answer.content)

    async def given(self, prediction_id: str) -> Given:
        """See ``Source``; where it is not kept, out of the preview, which is all of a short one."""
        kept = await self._get(f"/predictions/{quote(prediction_id, safe='')}/input")
        if kept.status_code == 404:
            raise UnknownPrediction(prediction_id)
        try:
            return answers.given(kept.status_code, kept.content)
        except SourceAway as error:
            why = ending(str(error))
        sized = await self._get(f"/predict/{prediction_id}")
        listed = await self._get("/predictions", {"ids": prediction_id})
        found = answers.beginning((sized.status_code, sized.content), (listed.status_code, listed.content), why=why)
        if found is None:
            raise UnknownPrediction(prediction_id)
        return found

    async def traceback(self, prediction_id: str, *, fingerprint: str) -> str:
        """See ``Source``."""
        query = {"fingerprint": fingerprint, "limit": str(MOST_LETTERS)}
        answer = await self._get("/dead-letters", query)
        return answers.traceback(answer.status_code, answer.content, prediction_id)

    async def dead_letters(self, *, model: str, fingerprint: str) -> DeadLetters:
        """See ``Source``."""
        query = {"limit": str(MOST_LETTERS)} | ({"model": model} if model else {})
        answer = await self._get("/dead-letters", query | ({"fingerprint": fingerprint} if fingerprint else {}))
        return answers.dead_letters(answer.status_code, answer.content)

    async def deliveries(self, prediction_id: str) -> list[Delivery]:
        """See ``Source``."""
        answer = await self._get(f"/predict/{prediction_id}/deliveries")
        return answers.deliveries(answer.status_code, answer.content)

    async def story(self, prediction_id: str) -> AsyncGenerator[list[Told]]:
        """See ``Source``."""
        parser = StoryParser()
        async with self._stream(f"/predict/{prediction_id}/events") as chunks:
            async for chunk in chunks:
                if told := parser.feed(chunk):
                    yield told

    async def page(self, *, before: str | None, limit: int) -> tuple[list[PredictionSummary], str | None]:
        """See ``Source``."""
        return await self._page({"limit": str(limit)} | ({"before": before} if before else {}))

    async def summaries(self, prediction_ids: Sequence[str]) -> list[PredictionSummary]:
        """See ``Source``."""
        found, _ = await self._page({"ids": ",".join(prediction_ids), "limit": str(MOST_IDS)})
        return found

    async def running_on(self, worker_id: str) -> list[PredictionSummary]:
        """See ``Source``."""
        answer = await self._get(f"/workers/{quote(worker_id, safe='')}")
        return [] if answer.status_code == 404 else answers.worker(answer.status_code, answer.content)

    async def models(self) -> list[ModelDetail]:
        """See ``Source``."""
        answer = await self._get("/deployments")
        return answers.models(answer.status_code, answer.content)

    async def history(self, *, since: datetime, until: datetime, most: int) -> list[HistoryFrame]:
        """See ``Source``."""
        query = {"since": since.isoformat(), "until": until.isoformat(), "most": str(most)}
        answer = await self._get("/history", query)
        return answers.history(answer.status_code, answer.content)

    async def events(self, after_id: str | None) -> AsyncGenerator[list[Event]]:
        """See ``Source``."""
        parser = EventParser()
        async with self._stream("/events", {"last-event-id": after_id} if after_id else None) as chunks:
            async for chunk in chunks:
                if batch := parser.feed(chunk):
                    yield batch

    @property
    def why_not(self) -> str:
        """See ``Submits`` and ``Deploys``."""
        return READ_ONLY if self._read_only else ""

    async def intake(self, model: str) -> Intake:
        """See ``Submits``."""
        answer = await self._get(f"/models/{quote(model, safe='')}")
        return answers.intake(answer.status_code, answer.content)

    async def submit(self, order: Order) -> str:
        """See ``Submits``."""
        self._require_writable()
        given = msgspec.Raw(msgspec.json.format(order.input_json.encode(), indent=-1))
        one = {"model": order.model, "priority": order.priority.value, "input": given}
        if order.version:
            one["version"] = order.version
        body, headers = msgspec.json.encode([one]), {"content-type": "application/json"}
        try:
            answer = await self._client.post("/predictions", content=body, headers=headers)
        except httpx.HTTPError as error:
            raise SourceAway(reason(error, timeout_s=ANSWER_TIMEOUT_S)) from error
        return answers.submitted(answer.status_code, answer.content)

    async def change_model(self, change: ModelChange) -> None:
        """See ``Deploys``."""
        self._require_writable()
        method, path = _CHANGES[change.deed]
        body = None if change.traffic is None else msgspec.json.encode(change.traffic)
        headers = {} if body is None else {"content-type": "application/json"}
        place = path.format(name=quote(change.model, safe=""))
        timeout = httpx.Timeout(CHANGE_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        try:
            answer = await self._client.request(method, place, content=body, headers=headers, timeout=timeout)
        except httpx.HTTPError as error:
            raise SourceAway(reason(error, timeout_s=CHANGE_TIMEOUT_S)) from error
        answers.changed(answer.status_code, answer.content)

    async def aclose(self) -> None:
        """See ``Source``."""
        await self._client.aclose()

    @asynccontextmanager
    async def _stream(self, path: str, headers: dict[str, str] | None = None) -> AsyncGenerator[AsyncIterator[bytes]]:
        """The bytes of a stream of events; what goes wrong with it, also while it is read, is ``SourceAway``."""
        timeout = httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S, read=SILENCE_S)
        try:
            async with self._client.stream("GET", path, headers=headers, timeout=timeout) as answer:
                if answer.status_code != 200:
                    raise SourceAway(f"its events: {answer.status_code}")
                yield answer.aiter_raw()
        except (httpx.HTTPError, ValueError) as error:
            raise SourceAway(reason(error, timeout_s=SILENCE_S)) from error

    def _require_writable(self) -> None:
        if self._read_only:
            raise Refused(READ_ONLY)

    def _away(self, why: Failure) -> Reading:
        return Reading(source=self.name, at_s=time.monotonic(), error=why.says, fault=why.fault)

    async def _get(self, path: str, query: dict[str, str] | None = None) -> httpx.Response:
        """Raises ``SourceAway``."""
        try:
            return await self._client.get(path, params=query)
        except httpx.HTTPError as error:
            raise SourceAway(reason(error, timeout_s=ANSWER_TIMEOUT_S)) from error

    async def _page(self, query: dict[str, str]) -> tuple[list[PredictionSummary], str | None]:
        answer = await self._get("/predictions", query)
        return answers.page(answer.status_code, answer.content)

    async def _health(self) -> Health | None:
        try:
            answer = await self._client.get("/health")
            return answers.health(answer.status_code, answer.content)
        except (httpx.HTTPError, SourceAway):
            return None  # why, the figures say

    async def _overview(self) -> Overview | Failure:
        try:
            answer = await self._client.get("/stats", params={"latest": LATEST})
            return answers.overview(answer.status_code, answer.content)
        except httpx.HTTPError as error:
            return failure_of(error, timeout_s=ANSWER_TIMEOUT_S)
        except SourceAway as error:
            return Failure(str(error), error.fault or Fault.OTHER)


async def _nothing() -> None:
    return None
