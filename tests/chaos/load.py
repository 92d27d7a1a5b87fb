"""Callers: they submit through the API, remember every 202, and wait for some of the answers."""

import asyncio
import itertools
import random
import time
from collections import Counter

import httpx
import msgspec

from tests.chaos.stack import Stack

LONGEST_CALL_S = 20


class Accepted(msgspec.Struct, frozen=True):
    """One 202."""

    key: int
    """Which work it was."""
    at_s: float
    """When the caller had read it, on the monotonic clock."""


class Load:
    """Submits at a rate, through one API process after the other, whatever happens to them."""

    def __init__(self, stack: Stack, *, per_s: float, callers: int, longest_ms: float, seed: int) -> None:
        self.accepted: dict[str, Accepted] = {}
        self.refused: Counter[str] = Counter()
        self.waited: Counter[str] = Counter()
        """How long polls ended: by status of the prediction, or of the answer."""
        self._random = random.Random(seed)
        self._stack = stack
        self._gap_s = callers / per_s
        self._callers = callers
        self._longest_ms = longest_ms
        self._keys = itertools.count(1)
        self._ports = itertools.cycle([api.port for api in stack.apis])
        self._waiting: set[asyncio.Task[None]] = set()

    @property
    def submitted(self) -> int:
        """Requests sent."""
        return len(self.accepted) + self.refused.total()

    async def run(self, until_s: float) -> None:
        """Submit until an instant of the monotonic clock; return when the last caller has its answer."""
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(timeout=LONGEST_CALL_S, limits=limits) as client:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._callers):
                    group.create_task(self._call(client, until_s))
            await asyncio.gather(*self._waiting)

    async def _call(self, client: httpx.AsyncClient, until_s: float) -> None:
        while time.monotonic() < until_s:
            await asyncio.sleep(self._random.expovariate(1 / self._gap_s))
            url = f"http://127.0.0.1:{next(self._ports)}"
            key = next(self._keys)
            work = {"key": key, "ms": round(self._random.uniform(1, self._longest_ms), 1)}
            try:
                answer = await client.post(
                    f"{url}/models/chaos/predict", json=work, headers={"Prefer": "respond-async"}
                )
            except httpx.HTTPError as error:
                self.refused[type(error).__name__] += 1
                continue
            if answer.status_code != 202:
                self.refused[f"{answer.status_code} {answer.json().get('code')}"] += 1
                continue
            prediction_id = answer.json()["prediction_id"]
            self.accepted[prediction_id] = Accepted(key, time.monotonic())
            if self._random.random() < 0.1:
                task = asyncio.create_task(self._wait(client, f"{url}/predict/{prediction_id}?wait=10"))
                self._waiting.add(task)
                task.add_done_callback(self._waiting.discard)

    async def _wait(self, client: httpx.AsyncClient, url: str) -> None:
        try:
            answer = await client.get(url)
        except httpx.HTTPError as error:
            self.waited[type(error).__name__] += 1
        else:
            self.waited[answer.json()["status"] if answer.status_code == 200 else str(answer.status_code)] += 1
