"""Ours, as users run it: ``zypher worker`` with the mock model, and ``PredictionQueue``."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import msgspec

from bench.peers.contestant import Contestant
from bench.peers.meter import Meter
from zypher_jobs.models.call import Call
from zypher_jobs.models.runtimes.mock import MockInput, MockRuntime
from zypher_jobs.queue import PredictionQueue
from zypher_jobs.settings import load_settings
from zypher_jobs.worker.main import run_worker


class Peer(Contestant):
    """The rest of the settings are in the environment: ``ZYPHER_MOCK_LATENCY_MS``, ``ZYPHER_CONCURRENCY``."""

    def work(self, concurrency: int) -> None:
        """What ``zypher worker`` runs, and a mock model that counts."""
        meter = Meter.from_environment()
        predict = MockRuntime.run

        async def counted(self: MockRuntime, calls: Sequence[Call]) -> Sequence[Any]:
            meter.begin(calls[0].input.input)
            return await predict(self, calls)

        MockRuntime.run = counted
        run_worker(msgspec.structs.replace(load_settings(), concurrency=concurrency))

    async def open(self) -> None:
        """No I/O yet."""

    async def submit(self, text: str) -> object:
        """As ``POST /predict`` does."""
        return await self._queue.submit("mock", MockInput(input=text), input_preview=text, input_bytes=len(text))

    async def call(self, text: str) -> object:
        """As ``POST /predict`` with ``Prefer: wait`` does."""
        prediction = await self._queue.submit(
            "mock", MockInput(input=text), input_preview=text, input_bytes=len(text), will_wait=True
        )
        ended = await self._queue.wait_for(prediction, 30)
        assert ended.output is not None, ended
        return ended.output

    async def submit_many(self, texts: Sequence[str]) -> None:
        """As ``POST /predictions`` does."""
        await self._queue.submit_many(
            "mock",
            [MockInput(input=text) for text in texts],
            input_previews=texts,
            input_bytes=[len(text) for text in texts],
        )

    @cached_property
    def _queue(self) -> PredictionQueue:
        return PredictionQueue.from_settings(load_settings())
