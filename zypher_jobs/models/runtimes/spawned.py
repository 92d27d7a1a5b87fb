"""``Child``: a model's process as its parent sees it. What runs in it is ``zypher_jobs.models.runtimes.child``."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from typing import IO, cast

from zypher_jobs.errors import ModelCrashed, ModelError, OutOfMemory
from zypher_jobs.models.definition import ModelDefinition
from zypher_jobs.models.runtimes.frames import Frames, FromChild, Hello, Loaded, NotLoaded, frame_of
from zypher_jobs.processes import describe_exit, give_way, resident_bytes

LOOK_S = 0.05 if sys.platform == "linux" else 1.0
"""Between two looks at the memory of a child that is busy; without /proc a look costs a process."""
TRACE_BYTES = 16_384
"""What is kept of where it crashed."""
_MIB = 1024 * 1024
_COMMAND = [sys.executable, "-P", "-u", "-m", "zypher_jobs.models.runtimes.child"]


class Child:
    """One process of a model. Every method may be called from any thread."""

    def __init__(self, definition: ModelDefinition) -> None:
        self.definition = definition
        self.runs = 0
        """How many it was given."""
        self.frames = Frames[FromChild](FromChild)
        self.exit_code: int | None = None
        self.trace = ""
        """Where it crashed, in Python's words; empty before its end, and where Python could not say."""
        self._when_dead: Callable[[], object] | None = None
        self._why: str | None = None
        self._lock = threading.Lock()
        self.socket, theirs = socket.socketpair()
        # a file of its own, not the log: Python writes a crash's trace in pieces of a few bytes
        self._trace_file = cast("IO[bytes]", tempfile.TemporaryFile())  # noqa: SIM115 closed by `wait`
        inherited = (theirs.fileno(), self._trace_file.fileno())
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  # our own module
                [*_COMMAND, *map(str, inherited), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=2,  # what a model prints belongs to the log
                pass_fds=inherited,
                start_new_session=True,  # so that what the model starts can be ended with it, and gives way with it
            )
        give_way(self.pid)

    @property
    def pid(self) -> int:
        """Its process id, and that of its group and session."""
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
            how = describe_exit(self._process.returncode)
            raise ModelCrashed(f"its process {how} while it loaded.", traceback=self._read_trace())
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
        with self._trace_file:
            self.trace = self._read_trace()
        with self._lock:
            self.exit_code = code
            if self._when_dead is None:
                self.socket.close()
            else:
                self._when_dead()

    def _read_trace(self) -> str:
        return os.pread(self._trace_file.fileno(), TRACE_BYTES, 0).decode(errors="replace").strip()

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
