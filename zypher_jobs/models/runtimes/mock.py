"""The mock model: a hash after a simulated latency, to try the platform out and to measure it."""

import asyncio
import random
from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from zypher_jobs.errors import ModelError
from zypher_jobs.models.call import Call
from zypher_jobs.models.definition import define
from zypher_jobs.models.model import Model
from zypher_jobs.settings import LatencyRange

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

    __slots__ = ("_failure_rate", "_latency_ms", "definition")

    def __init__(self, *, latency_ms: LatencyRange, failure_rate: float) -> None:
        # its latency and its failures are for callers, not for a warm-up
        self.definition = msgspec.structs.replace(define(Mock), has_own_example=False)
        self._latency_ms = latency_ms
        self._failure_rate = failure_rate

    def load(self) -> None:
        """Nothing to load."""

    def unload(self) -> None:
        """Nothing to let go."""

    async def run(self, calls: Sequence[Call]) -> Sequence[Any]:
        """The hash after a latency drawn uniformly from the range; fails at the failure rate."""
        (call,) = calls
        if self._latency_ms.high_ms > 0:
            latency_s = _random.uniform(self._latency_ms.low_ms, self._latency_ms.high_ms) / 1000
            remaining_s = call.remaining_s
            await asyncio.sleep(min(latency_s, remaining_s))
            if latency_s > remaining_s:
                raise call.timed_out("mock")
        if self._failure_rate and _random.random() < self._failure_rate:
            raise ModelError(f"SimulatedFailure: the mock model fails at a rate of {self._failure_rate:g}, as set.")
        return (_hash(call.input),)


def _hash(input: MockInput) -> MockOutput:
    return MockOutput(input=input.input, result=sha256(input.input.encode()).hexdigest())
