"""Waiting longer after each failure in a row."""

import asyncio

_SHORTEST_S = 0.05
_LONGEST_S = 1.0


class Backoff:
    """Sleeps that double from 50 ms to 1 s until ``reset``."""

    def __init__(self) -> None:
        self._next_s = _SHORTEST_S

    async def sleep(self) -> None:
        """The next, longer one."""
        seconds, self._next_s = self._next_s, min(_LONGEST_S, self._next_s * 2)
        await asyncio.sleep(seconds)

    def reset(self) -> None:
        """Begin anew."""
        self._next_s = _SHORTEST_S
