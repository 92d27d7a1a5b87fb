"""Callers: they submit through the API, remember every 202, wait for some of the answers and cancel some."""

import asyncio
import random
import time
from collections import Counter
from typing import Any

import httpx
import msgspec

from tests.chaos.model import Work, done_of
from tests.chaos.part import Part
from tests.chaos.stack import Stack
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.errors import RedisUnavailable, UnknownPrediction
from zypher_jobs.queue import PredictionQueue
from zypher_jobs.settings import Settings

LONGEST_CALL_S = 20
WAITING_SHARE, CANCELED_SHARE = 0.1, 0.04
KEYS_OF_ONE = 1_000_000


class Accepted(msgspec.Struct, frozen=True):
    """One 202, or an answer that came at once."""

    key: int
    """Which work it was."""
    sent_s: float
    """When its caller sent the request, on the monotonic clock."""
    at_s: float
    """When its caller had read the answer."""


class Load:
    """Submits at a rate, through an API process drawn each time, whatever happens to them."""

    def __init__(self, stack: Stack, *, per_s: float, callers: int, longest_ms: float, seed: int) -> None:
        self.works: dict[int, Work] = {}
        """All that was sent."""
        self.accepted: dict[str, Accepted] = {}
        self.answered_at_once = 0
        """Submits that went to Redis twice, as a connection was cut, and whose prediction had ended by the second."""
        self.refused: Counter[str] = Counter()
        self.waited: Counter[str] = Counter()
        """How long polls ended: by status of the prediction, or of the answer."""
        self.wrong_answers: list[str] = []
        """Of long polls."""
        self.cancels: dict[str, str] = {}
        """Those canceled, by what the answer said that they are now."""
        self._stack = stack
        self._seed = seed
        self._gap_s = callers / per_s
        self._callers = callers
        self._longest_ms = longest_ms
        self._following: set[asyncio.Task[None]] = set()
        self._queue = PredictionQueue.from_settings(msgspec.structs.replace(Settings(), redis_url=stack.redis.url))
        self._api_cancels = True

    async def run(self, stop: asyncio.Event) -> None:
        """Submit until told to stop; return when the last caller has its answer."""
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(timeout=LONGEST_CALL_S, limits=limits) as client:
            async with asyncio.TaskGroup() as group:
                for number in range(self._callers):
                    group.create_task(self._call(client, number, stop))
            await asyncio.gather(*self._following)
        await self._queue.aclose()

    async def _call(self, client: httpx.AsyncClient, number: int, stop: asyncio.Event) -> None:
        draws = random.Random(f"{self._seed} caller {number}")
        key = number * KEYS_OF_ONE
        while not stop.is_set():
            await asyncio.sleep(draws.expovariate(1 / self._gap_s))
            key += 1
            # all that is drawn for one work is drawn here: it does not hang on what becomes of it
            work = Work(key=key, ms=round(self._ms(draws), 1))
            api, next_step, delay_s = draws.choice(self._stack.apis), draws.random(), draws.random()
            self.works[key] = work
            prediction_id = await self._submit(client, api, work)
            if prediction_id is None:
                continue
            if next_step < WAITING_SHARE:
                self._follow(self._wait(client, api, prediction_id, work))
            elif next_step < WAITING_SHARE + CANCELED_SHARE:
                self._follow(self._cancel(client, api, prediction_id, delay_s))

    def _ms(self, draws: random.Random) -> float:
        """Most are short; one in seven is long."""
        longest = draws.choices((20, self._longest_ms / 4, self._longest_ms), (50, 35, 15))[0]
        return draws.uniform(1, longest)

    async def _submit(self, client: httpx.AsyncClient, api: Part, work: Work) -> str | None:
        sent_s = time.monotonic()
        try:
            answer = await client.post(
                f"{_url(api)}/models/chaos/predict",
                content=msgspec.json.encode(work),
                headers={"Prefer": "respond-async", "Content-Type": "application/json"},
            )
        except httpx.HTTPError as error:
            self.refused[type(error).__name__] += 1
            return None
        if answer.status_code not in (200, 202):
            self.refused[f"{answer.status_code} {answer.json().get('code')}"] += 1
            return None
        prediction_id = answer.headers["Prediction-Id"]
        if answer.status_code == 200:
            self.answered_at_once += 1
            self._check(prediction_id, work, answer.json())
        self.accepted[prediction_id] = Accepted(work.key, sent_s, time.monotonic())
        return prediction_id

    def _follow(self, what: Any) -> None:
        task = asyncio.create_task(what)
        self._following.add(task)
        task.add_done_callback(self._following.discard)

    async def _wait(self, client: httpx.AsyncClient, api: Part, prediction_id: str, work: Work) -> None:
        try:
            answer = await client.get(f"{_url(api)}/predict/{prediction_id}?wait=10")
        except httpx.HTTPError as error:
            self.waited[type(error).__name__] += 1
            return
        if answer.status_code != 200:
            self.waited[str(answer.status_code)] += 1
            return
        prediction = answer.json()
        self.waited[prediction["status"]] += 1
        if prediction["status"] == Status.SUCCEEDED:
            self._check(prediction_id, work, prediction["output"])

    def _check(self, prediction_id: str, work: Work, output: Any) -> None:
        if output != msgspec.to_builtins(done_of(work)):
            self.wrong_answers.append(f"{prediction_id}: {output}")

    async def _cancel(self, client: httpx.AsyncClient, api: Part, prediction_id: str, delay_s: float) -> None:
        """Through the API; as long as it has no such route, by the queue's own call."""
        await asyncio.sleep(delay_s)
        self.cancels[prediction_id] = "no answer"
        try:
            if self._api_cancels:
                answer = await client.delete(f"{_url(api)}/predict/{prediction_id}")
                if answer.status_code != 405:
                    known = answer.json().get("status") if answer.is_success else answer.status_code
                    self.cancels[prediction_id] = str(known)
                    return
                self._api_cancels = False
            self.cancels[prediction_id] = str((await self._queue.cancel(prediction_id)).status)
        except (httpx.HTTPError, RedisUnavailable, UnknownPrediction) as error:
            self.cancels[prediction_id] = type(error).__name__


def _url(api: Part) -> str:
    return f"http://127.0.0.1:{api.port}"
