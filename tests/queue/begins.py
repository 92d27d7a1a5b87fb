"""What stands in for every model where a test is about order or time: it writes down what begins."""

import asyncio
from typing import Any

from arq.worker import func

from zypher_jobs.testing import wait_until


class Begins:
    """A worker's only function, and what it was called for so far."""

    def __init__(self, *, held: bool = False, run_s: float = 0) -> None:
        """``held``: what begins ends only once ``released`` is set; ``run_s``: how long each runs."""
        self._run_s = run_s
        self.values: list[Any] = []
        """The input of each that began, in order."""
        self.ids: list[str] = []
        self.at_s: list[float] = []
        """When each began, on the event loop's clock."""
        self.released = asyncio.Event()
        if not held:
            self.released.set()

    @property
    def functions(self) -> list[Any]:
        """For ``start_worker``."""
        return [func(self.predict, name="predict")]

    async def predict(self, ctx: dict[Any, Any], model: str, value: Any, **_: Any) -> Any:
        """The output is the input."""
        self.at_s.append(asyncio.get_running_loop().time())
        self.ids.append(ctx["job_id"])
        self.values.append(value)
        await asyncio.sleep(self._run_s)
        await self.released.wait()
        return value

    async def count(self, count: int, *, timeout_s: float = 20) -> None:
        """Wait until so many have begun."""
        await wait_until(lambda: len(self.ids) >= count, timeout_s=timeout_s, every_s=0.002)

    async def began(self, prediction_id: str, *, timeout_s: float = 20) -> float:
        """Wait until it has begun; when that was."""
        await wait_until(lambda: prediction_id in self.ids, timeout_s=timeout_s, every_s=0.002)
        return self.at_s[self.ids.index(prediction_id)]
