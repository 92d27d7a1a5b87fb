"""``Children``: the processes of one model. Each has a thread, which starts it, waits for its end and starts the next.

A thread, and the same one for all of a child's life: Linux ends a child with the *thread* that started it, and a child
that dies while it is idle is noticed without anybody asking.
"""

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from zypher_jobs.errors import ModelCrashed, ModelError, ModelNotReady, OutOfMemory, PredictionFailed
from zypher_jobs.models.definition import ModelDefinition
from zypher_jobs.models.runtimes.frames import Frames, FromChild, Hello, Loaded, NotLoaded, frame_of
from zypher_jobs.processes import describe_exit, resident_bytes

log = logging.getLogger("zypher.models")

LOOK_S = 0.05 if sys.platform == "linux" else 1.0
"""Between two looks at the memory of a child that is busy; without /proc a look costs a process."""
CLOSE_TIMEOUT_S = 3.0
"""How long a child may take to unload."""
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
STEADY_AFTER_S = 10.0
"""A child that lived this long is followed by another one at once."""
NICER = 5
"""A child gives way to its parent, which answers callers: with every processor busy, the p99 of a model beside four
that spin and crash was about twice its quiet one; without this, five to ten times (``just bench isolation``)."""
_MIB = 1024 * 1024
_COMMAND = [sys.executable, "-P", "-u", "-X", "faulthandler", "-m", "zypher_jobs.models.runtimes.child"]


class Taker(Protocol):
    """Who waits for a child. Called from any thread."""

    def begin(self, child: "Child") -> None:
        """This one is yours."""
        ...

    def refuse(self, error: ModelNotReady) -> None:
        """There is none for now."""
        ...


class Child:
    """One process of a model. Every method may be called from any thread."""

    def __init__(self, definition: ModelDefinition) -> None:
        self.definition = definition
        self.runs = 0
        """How many it was given."""
        self.frames = Frames[FromChild](FromChild)
        self.exit_code: int | None = None
        self._when_dead: Callable[[], object] | None = None
        self._why: str | None = None
        self._lock = threading.Lock()
        self.socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  # our own module
                [*_COMMAND, str(theirs.fileno()), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=2,  # what a model prints belongs to the log
                pass_fds=(theirs.fileno(),),
                process_group=0,  # so that what the model starts can be ended with it
            )
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, self.pid, os.getpriority(os.PRIO_PROCESS, 0) + NICER)

    @property
    def pid(self) -> int:
        """Its process id, and that of its group."""
        return self._process.pid

    @property
    def end(self) -> str:
        """How it ended, in words."""
        return self._why or f"its process {describe_exit(0 if self.exit_code is None else self.exit_code)}"

    def load(self, hello: Hello) -> None:
        """Wait until it has loaded the model; raises ``ModelError``, ``ModelCrashed`` or ``OutOfMemory``."""
        deadline_s = time.monotonic() + self.definition.load_timeout_s
        self.socket.settimeout(LOOK_S)
        with contextlib.suppress(OSError):  # it died; what follows tells how
            self.socket.sendall(frame_of(hello))
        while not self._has_loaded():
            self.check_memory()
            if time.monotonic() > deadline_s:
                limit = f"it did not load within load_timeout_s = {self.definition.load_timeout_s:g} s"
                self.kill(limit)
                raise ModelError(f"{limit}; its process was ended.")
        self.check_memory()
        self.socket.setblocking(False)

    def _has_loaded(self) -> bool:
        try:
            data = self.socket.recv(self.frames.wanted)
        except TimeoutError:
            return False
        except OSError:
            data = b""
        if not data:
            self._process.wait()
            raise ModelCrashed(f"its process {describe_exit(self._process.returncode)} while it loaded.")
        for message in self.frames.take(data):
            if isinstance(message, NotLoaded):
                raise ModelError(message.message)
            if isinstance(message, Loaded):
                return True
        return False

    def check_memory(self) -> None:
        """End it and raise ``OutOfMemory`` if it has more than it may."""
        limit_mb = self.definition.memory_limit_mb
        if limit_mb is None:
            return
        has_mb = resident_bytes(self.pid) // _MIB
        if has_mb > limit_mb:
            self.kill(f"it took {has_mb:,} MiB of memory, more than its limit of {limit_mb:,} MiB")
            raise OutOfMemory(
                f"Model {self.definition.name!r} took {has_mb:,} MiB of memory, more than its limit of "
                f"{limit_mb:,} MiB, and was ended."
            )

    def hold(self, when_dead: Callable[[], object]) -> bool:
        """Be told when it dies, and keep its socket open until ``let_go``; ``False`` if it is dead already."""
        with self._lock:
            if self.exit_code is not None or self._has_hung_up():
                return False
            self._when_dead = when_dead
            return True

    def _has_hung_up(self) -> bool:
        """Whether its socket has ended: we see that before we hear of its death."""
        try:
            return not self.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def let_go(self) -> None:
        """The reverse of ``hold``."""
        with self._lock:
            self._when_dead = None
            if self.exit_code is not None:
                self.socket.close()

    def wait(self) -> None:
        """Until it has ended; then what it started has ended too."""
        code = self._process.wait()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        with self._lock:
            self.exit_code = code
            if self._when_dead is None:
                self.socket.close()
            else:
                self._when_dead()

    def kill(self, why: str) -> None:
        """End it and whatever it started (SIGKILL)."""
        with self._lock:
            if self.exit_code is None:
                self._why = self._why or why
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.pid, signal.SIGKILL)

    def dismiss(self) -> None:
        """Let it unload and end; one that still runs something hangs, and is killed."""
        with self._lock:
            is_idle = self._when_dead is None
            if is_idle and self.exit_code is None:
                with contextlib.suppress(OSError):
                    self.socket.shutdown(socket.SHUT_WR)
        if not is_idle:
            self.kill("its model was unloaded")


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
        pid = None if self._child is None else self._child.pid
        return {"model": self._definition.reference, "pid": pid, "why": why, "starts_again_in_s": pause_s}

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
