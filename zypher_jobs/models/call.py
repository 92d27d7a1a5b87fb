"""``Call``: one prediction on its way through a model, and ``Listener``, who hears of it meanwhile."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

from zypher_jobs.contracts.trace import TraceContext
from zypher_jobs.errors import PredictionTimeout


class Listener(Protocol):
    """Hears what a running prediction says. Called from any thread; must not block."""

    def progress(self, fraction: float, message: str) -> None:
        """How far it is, 0 to 1."""
        ...

    def log(self, line: str) -> None:
        """One line for whoever watches."""
        ...

    def chunk(self, output: Any) -> None:
        """The next piece of a streamed output."""
        ...


class _Nobody:
    def progress(self, fraction: float, message: str) -> None:
        """Unheard."""

    def log(self, line: str) -> None:
        """Unheard."""

    def chunk(self, output: Any) -> None:
        """Unheard."""


NOBODY: Listener = _Nobody()
CacheUse = Literal["hit", "shared", "miss"]
"""The output was there; somebody else's run gave it; it was run for this call."""


class Call:
    """An input with what its model may know of the prediction. ``cancel`` may come from any thread, at any time."""

    __slots__ = (
        "_hooks",
        "attempt",
        "cache_use",
        "canceled",
        "deadline_s",
        "input",
        "listener",
        "load_ms",
        "longest_wait_s",
        "prediction_id",
        "timeout_s",
        "trace",
    )

    def __init__(
        self,
        input: Any,
        *,
        timeout_s: float,
        prediction_id: str = "",
        attempt: int = 1,
        listener: Listener = NOBODY,
        longest_wait_s: float = 0,
        trace: TraceContext | None = None,
    ) -> None:
        """``longest_wait_s``: rather than wait longer for the model, it is to be refused; 0: never."""
        self.input = input
        self.prediction_id = prediction_id
        self.attempt = attempt
        self.timeout_s = timeout_s
        self.deadline_s = time.monotonic() + timeout_s
        """On ``time.monotonic``'s clock."""
        self.listener = listener
        self.longest_wait_s = longest_wait_s
        self.trace = trace
        """In which it runs, if somebody traces."""
        self.canceled = False
        """Whether nobody wants its output any more: canceled, or past its deadline."""
        self.cache_use: CacheUse | None = None
        """What its model's cache did for it; ``None`` where there is none."""
        self.load_ms = 0.0
        """How long it waited for its model to be loaded, or for a child process of it to start."""
        self._hooks: list[Callable[[], None]] | None = None

    @property
    def remaining_s(self) -> float:
        """Until its deadline; never below 0."""
        return max(0.0, self.deadline_s - time.monotonic())

    def timed_out(self, model: str) -> PredictionTimeout:
        """What its caller is told at the deadline."""
        return PredictionTimeout(f"Model {model!r} did not answer within {self.timeout_s:g} s.")

    def cancel(self) -> None:
        """Nobody wants its output any more."""
        with _lock:
            self.canceled = True
            hooks, self._hooks = self._hooks, None
        for hook in hooks or ():
            hook()

    def when_canceled(self, hook: Callable[[], None]) -> None:
        """Call ``hook`` once it is canceled; at once if it is already."""
        with _lock:
            if not self.canceled:
                self._hooks = [*(self._hooks or ()), hook]
                return
        hook()


def trace_of(calls: Sequence[Call]) -> TraceContext | None:
    """In which a batch runs: that of the first call that has one."""
    return next((call.trace for call in calls if call.trace is not None), None)


_lock = threading.Lock()
