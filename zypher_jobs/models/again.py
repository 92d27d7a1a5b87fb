"""``Again``: loads a model again and again, while what it needs is away."""

import asyncio
from collections.abc import Awaitable, Callable

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 10.0


class Again:
    """Calls ``load`` after pauses that double, until that says that it is done; to be used on one event loop."""

    __slots__ = ("_load", "_task")

    def __init__(self, load: Callable[[], Awaitable[bool]]) -> None:
        self._load = load
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Nothing happens where it has begun."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def end(self) -> None:
        """Whatever it came to."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    async def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            await asyncio.sleep(pause_s)
            if await self._load():
                break
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        self._task = None
