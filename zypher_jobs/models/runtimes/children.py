"""``Children``: the processes of one model. Each has a thread, which starts it, waits for its end and starts the next.

A thread, and the same one for all of a child's life: Linux ends a child with the *thread* that started it, and a child
that dies while it is idle is noticed without anybody asking.
"""

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from zypher_jobs.errors import ModelNotReady, PredictionFailed
from zypher_jobs.models.definition import ModelDefinition
from zypher_jobs.models.runtimes.frames import Hello
from zypher_jobs.models.runtimes.spawned import Child

log = logging.getLogger("zypher.models")

CLOSE_TIMEOUT_S = 3.0
"""How long a child may take to unload."""
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
STEADY_AFTER_S = 10.0
"""A child that lived this long is followed by another one at once."""


class Taker(Protocol):
    """Who waits for a child. Called from any thread."""

    def begin(self, child: Child) -> None:
        """This one is yours."""
        ...

    def refuse(self, error: ModelNotReady) -> None:
        """There is none for now."""
        ...


class Children:
    """As many children as the model may run calls at once. ``take`` and ``give`` may be called from any thread."""

    def __init__(self, definition: ModelDefinition, hello: Hello, tell: Callable[[str | None], None]) -> None:
        """``tell`` is told, from any thread, why the model is down and, with ``None``, that it is up again."""
        self._tell = tell
        self.name = definition.name
        self._lock = threading.Lock()
        self._idle: deque[Child] = deque()
        self._takers: deque[Taker] = deque()
        self._alive = 0
        self._down: str | None = None
        self._places = [_Place(self, definition, hello, index) for index in range(definition.concurrency or 1)]

    def start(self) -> None:
        """Start all and wait until they have loaded; raises why one has not, and then none is left."""
        for place in self._places:
            place.start()
        for place in self._places:
            place.started.wait()
        failures = [place.failure for place in self._places if place.failure is not None]
        if failures:
            self.stop()
            raise failures[0]

    def stop(self) -> None:
        """Let all go; blocks until they have ended, of themselves or killed."""
        self._tell = _nobody
        for place in self._places:
            place.end()
        self.refuse_all("it is not loaded")
        deadline_s = time.monotonic() + CLOSE_TIMEOUT_S
        for place in self._places:
            place.join_until(deadline_s)

    def take(self, taker: Taker) -> Child | None:
        """A free child; else ``None``, and ``taker`` hears later. Raises ``ModelNotReady`` while none can start."""
        with self._lock:
            if self._idle:
                return self._idle.popleft()
            if self._down is not None:
                raise self._not_ready(self._down)
            self._takers.append(taker)
            return None

    def forget(self, taker: Taker) -> None:
        """It does not wait any more."""
        with self._lock, contextlib.suppress(ValueError):
            self._takers.remove(taker)

    def give(self, child: Child) -> None:
        """A child is free."""
        with self._lock:
            taker = self._takers.popleft() if self._takers else None
            if taker is None:
                self._idle.append(child)
        if taker is not None:
            taker.begin(child)

    def came(self, child: Child) -> None:
        """A child has loaded."""
        with self._lock:
            self._alive += 1
            was_down, self._down = self._down, None
        if was_down is not None:
            self._tell(None)
        self.give(child)

    def went(self, child: Child) -> None:
        """A child that had loaded has ended."""
        with self._lock, contextlib.suppress(ValueError):
            self._alive -= 1
            self._idle.remove(child)

    def refuse_all(self, why: str) -> None:
        """There is no child and there will be none for a while, unless another place has one."""
        with self._lock:
            if self._alive:
                return
            self._down = why
            takers, self._takers = self._takers, deque()
        for taker in takers:
            taker.refuse(self._not_ready(why))

    def fell(self, why: str) -> None:
        """A place is to be empty for a while."""
        self.refuse_all(why)
        if self._down is not None:
            self._tell(why)

    def _not_ready(self, why: str) -> ModelNotReady:
        return ModelNotReady(f"Model {self.name!r} is not ready: {why.rstrip('.')}.")


class _Place(threading.Thread):
    """One of a model's children, and the ones after it."""

    def __init__(self, children: Children, definition: ModelDefinition, hello: Hello, index: int) -> None:
        super().__init__(name=f"{definition.reference}-child-{index}", daemon=True)
        self.started = threading.Event()
        """Once the first child has loaded or failed to."""
        self.failure: PredictionFailed | OSError | None = None
        """Why the first one did not load."""
        self._children = children
        self._definition = definition
        self._hello = hello
        self._child: Child | None = None
        self._has_loaded = False
        self._ending = threading.Event()

    def run(self) -> None:
        """Until ``end``, or until the first child fails to load."""
        failures = 0
        while not self._ending.wait(_pause_s(failures)):
            born_s = time.monotonic()
            try:
                child = self._load()
            except (PredictionFailed, OSError) as error:
                if not self.started.is_set():
                    self.failure = error
                    self.started.set()
                    return
                failures += 1
                why = error.message if isinstance(error, PredictionFailed) else str(error)
            else:
                self.started.set()
                self._children.came(child)
                child.wait()
                self._children.went(child)
                is_steady = child.runs > 0 or time.monotonic() - born_s > STEADY_AFTER_S
                failures = 0 if is_steady else failures + 1
                why = child.end
            if not self._ending.is_set():
                log.warning("the model's process ended", extra=self._facts(why, _pause_s(failures)))
                if failures:
                    self._children.fell(why)
        self.started.set()

    def _load(self) -> Child:
        self._has_loaded = False
        child = self._child = Child(self._definition)
        if self._ending.is_set():
            child.kill("its model was unloaded")
        try:
            child.load(self._hello)
        except PredictionFailed as error:
            child.kill(error.message)
            child.wait()
            raise
        self._has_loaded = True
        return child

    def _facts(self, why: str, pause_s: float) -> dict[str, object]:
        facts: dict[str, object] = {"model": self._definition.reference, "why": why, "starts_again_in_s": pause_s}
        if self._child is not None:
            facts |= {"pid": self._child.pid} | ({"traceback": self._child.trace} if self._child.trace else {})
        return facts

    def end(self) -> None:
        """Start no more, and let go of what there is."""
        self._ending.set()
        if self._child is not None and self._has_loaded:
            self._child.dismiss()
        elif self._child is not None:
            self._child.kill("its model was unloaded")

    def join_until(self, deadline_s: float) -> None:
        """Wait for its child's end; past the deadline it is killed."""
        self.join(max(0.0, deadline_s - time.monotonic()))
        if self.is_alive() and self._child is not None:
            self._child.kill("it did not unload in time")
            self.join(CLOSE_TIMEOUT_S)


def _nobody(_: str | None) -> None:
    """Not loaded any more: whether it is up or down says nothing."""


def _pause_s(failures: int) -> float:
    return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** (failures - 1)) if failures else 0
