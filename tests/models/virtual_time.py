"""An event loop whose time passes at once, and the clock of ``Call`` on it."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from unittest.mock import patch

from zypher_jobs.models import call

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    def __init__(self, on_idle: Callable[[], None]) -> None:
        super().__init__()
        self.now_s = 0.0
        self._on_idle = on_idle

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Nothing is ready: it is later now."""
        if timeout != 0:
            self._on_idle()
            assert timeout is not None, "everybody waits, and nothing will come"
            self.now_s += timeout
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, selector: _Selector) -> None:
        self._clock = selector
        super().__init__(selector)

    def time(self) -> float:
        """As far as its timers have come."""
        return self._clock.now_s


class _Clock:
    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.monotonic = monotonic


def run(main: Coroutine[Any, Any, T], *, on_idle: Callable[[], None] = lambda: None) -> T:
    """``asyncio.run`` in no time; ``on_idle`` is called whenever nothing happens before the next timer."""
    selector = _Selector(on_idle)
    with (
        patch.object(call, "time", _Clock(lambda: selector.now_s)),
        asyncio.Runner(loop_factory=lambda: _Loop(selector)) as runner,
    ):
        return runner.run(main)
