"""``ShadowRun``: a copy of what a live version answered runs on another version, and the outputs are compared.

Nothing of it reaches the caller: it begins when the answer is made, no more than ``AT_ONCE`` run at once, and what
comes meanwhile is left out and counted.
"""

import asyncio
import math
import time
from collections import Counter
from typing import Any, cast

import msgspec

from zypher_jobs.errors import ZypherError
from zypher_jobs.models.served import ServedModel

AT_ONCE = 4
TIMEOUT_S = 30.0
RELATIVE, ABSOLUTE = 1e-3, 1e-6
"""How far two numbers may be apart to be the same: the same network on another machine differs by less."""


class ShadowRun:
    """What one live version's shadow came to in this process, until it is collected."""

    def __init__(self, live: ServedModel, shadow: ServedModel) -> None:
        self.live = live
        self.shadow = shadow
        self._outcomes: Counter[str] = Counter()
        self._running: set[asyncio.Task[None]] = set()

    def compare(self, input: Any, output: Any, *, took_s: float) -> None:
        """See ``zypher_jobs.models.served.Shadow``."""
        if len(self._running) >= AT_ONCE:
            self._count("dropped")
            return
        task = asyncio.create_task(self._run(input, output, took_s))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def collect(self) -> dict[str, int]:
        """``live|shadow|outcome`` → how many since the last time."""
        outcomes, self._outcomes = self._outcomes, Counter()
        return dict(outcomes)

    def give_back(self, outcomes: dict[str, int]) -> None:
        """What could not be written: the next ``collect`` has it too."""
        self._outcomes.update(outcomes)

    def close(self) -> None:
        """Let go of what runs."""
        for task in self._running:
            task.cancel()

    async def _run(self, input: Any, output: Any, took_s: float) -> None:
        started_s = time.monotonic()
        try:
            copy = self.shadow.convert(msgspec.to_builtins(input))
            other = await self.shadow.run(copy, timeout_s=TIMEOUT_S)
        except ZypherError:
            self._count("failed")
            return
        self._count("same" if is_same(msgspec.to_builtins(output), msgspec.to_builtins(other)) else "different")
        self._count("live_us", round(took_s * 1_000_000))
        self._count("shadow_us", round((time.monotonic() - started_s) * 1_000_000))

    def _count(self, outcome: str, by: int = 1) -> None:
        self._outcomes[f"{self.live.version}|{self.shadow.version}|{outcome}"] += by


def is_same(one: Any, other: Any) -> bool:
    """Whether two outputs, as plain values, say the same: numbers need only be close."""
    if isinstance(one, dict) and isinstance(other, dict):
        here, there = cast("dict[Any, Any]", one), cast("dict[Any, Any]", other)
        return here.keys() == there.keys() and all(is_same(value, there[key]) for key, value in here.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        first, second = cast("list[Any]", one), cast("list[Any]", other)
        return len(first) == len(second) and all(map(is_same, first, second))
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    if isinstance(one, float | int) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=RELATIVE, abs_tol=ABSOLUTE) if _has_float(one, other) else one == other
    return bool(one == other)


def _has_float(*numbers: float) -> bool:
    return any(isinstance(number, float) for number in numbers)
