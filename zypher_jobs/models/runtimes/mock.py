"""The mock model: a hash after a simulated latency, to try the platform out and to measure it."""

import asyncio
import math
import os
import random
import signal
from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from zypher_jobs.errors import ModelError
from zypher_jobs.models.call import Call
from zypher_jobs.models.definition import define
from zypher_jobs.models.model import Model
from zypher_jobs.settings import Latency, LatencyRange, Settings

_random = random.Random()  # noqa: S311 nothing secret is drawn


class MockInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """Any text."""

    input: Annotated[str, Meta(max_length=10_000, pattern=r"\S", description="Not blank.")]


class MockOutput(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The text again, and its hash."""

    input: str
    result: Annotated[str, Meta(description="SHA-256 of the input's UTF-8, in hex.")]


class Mock(Model[MockInput, MockOutput]):
    """Hashes a text after a simulated latency; for trying things out."""

    input_example = MockInput(input="hello")
    output_example = MockOutput(input="hello", result=sha256(b"hello").hexdigest())

    async def predict(self, input: MockInput) -> MockOutput:
        """The hash, at once; latency and failures are the runtime's."""
        return _hash(input)


class MockRuntime:
    """Runs ``Mock`` on the event loop: nothing in it blocks, and at zero latency nothing suspends."""

    __slots__ = ("_crash_rate", "_failure_rate", "_latency_ms", "_memory_bytes", "definition")

    def __init__(self, settings: Settings, *, may_crash: bool = False) -> None:
        """``may_crash``: whether this process may be ended, because its predictions come back to another."""
        # its latency and its failures are for callers, not for a warm-up
        self.definition = msgspec.structs.replace(define(Mock), has_own_example=False)
        self._latency_ms = None if settings.mock_latency_ms == LatencyRange(0, 0) else settings.mock_latency_ms
        self._failure_rate = settings.mock_failure_rate
        self._crash_rate = settings.mock_crash_rate if may_crash else 0
        self._memory_bytes = settings.mock_memory_mb << 20

    def load(self) -> None:
        """Nothing to load."""

    def unload(self) -> None:
        """Nothing to let go."""

    async def run(self, calls: Sequence[Call]) -> Sequence[Any]:
        """The hash after a latency drawn anew; fails at the failure rate, and ends the process at the crash rate."""
        (call,) = calls
        held = b"\1" * self._memory_bytes  # zeros would not be resident
        if self._latency_ms is not None:
            latency_s = _draw_s(self._latency_ms)
            remaining_s = call.remaining_s
            await asyncio.sleep(min(latency_s, remaining_s))
            if latency_s > remaining_s:
                raise call.timed_out("mock")
        del held
        if self._crash_rate and _random.random() < self._crash_rate:
            os.kill(os.getpid(), signal.SIGKILL)
        if self._failure_rate and _random.random() < self._failure_rate:
            raise ModelError(f"SimulatedFailure: the mock model fails at a rate of {self._failure_rate:g}, as set.")
        return (_hash(call.input),)


_Z99 = 2.3263478740408408
"""Standard deviations from the middle of a normal distribution to its 99th percentile."""


def _draw_s(latency: Latency) -> float:
    if isinstance(latency, LatencyRange):
        return _random.uniform(latency.low_ms, latency.high_ms) / 1000
    sigma = math.log(latency.p99_ms / latency.p50_ms) / _Z99
    return _random.lognormvariate(math.log(latency.p50_ms), sigma) / 1000


def _hash(input: MockInput) -> MockOutput:
    return MockOutput(input=input.input, result=sha256(input.input.encode()).hexdigest())
