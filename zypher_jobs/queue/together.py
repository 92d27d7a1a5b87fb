"""``Together``: those who ask the same in one turn of the event loop share one answer.

One message may wake thousands of waiters, and each of them wants to read the same. A read is shared only until it is
sent: who comes later may have heard of something that it would not see.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Together(Generic[K, T]):
    """Around a function of one argument; to be used on one event loop."""

    def __init__(self, ask: Callable[[K], Awaitable[T]]) -> None:
        self._ask = ask
        self._gathering: dict[K, asyncio.Task[T]] = {}

    async def __call__(self, what: K) -> T:
        """The answer; raises what ``ask`` raises. Who is canceled does not cancel it for the others."""
        asking = self._gathering.get(what)
        if asking is None:
            asking = self._gathering[what] = asyncio.create_task(self._begin(what))
            asking.add_done_callback(_seen)
        return await asyncio.shield(asking)

    async def _begin(self, what: K) -> T:
        del self._gathering[what]
        return await self._ask(what)


def _seen(ended: "asyncio.Task[T]") -> None:
    """Whoever asked may be gone."""
    if not ended.cancelled():
        ended.exception()
