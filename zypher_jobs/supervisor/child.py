"""One child process: in a session of its own, its output read line by line, its end noticed at once."""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence

_LONGEST_LINE_BYTES = 65_536
_REMEMBERED_LINES = 3


class Reaper:
    """Notices ended children at SIGCHLD, without a thread or a timer for each."""

    def __init__(self) -> None:
        self._watched: list[tuple[Callable[[], int | None], Callable[[int], None]]] = []

    def install(self) -> None:
        """Take SIGCHLD over, in the running loop."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._look)

    def watch(self, poll: Callable[[], int | None], on_end: Callable[[int], None]) -> None:
        """Call ``on_end`` once with the exit code that ``poll`` gives; at once if the process has ended already."""
        self._watched.append((poll, on_end))
        self._look()

    def _look(self) -> None:
        watched, self._watched = self._watched, []
        for poll, on_end in watched:
            if (code := poll()) is None:
                self._watched.append((poll, on_end))
            else:
                on_end(code)


class Child:
    """A started process.

    Its session is its own, so that Ctrl-C on the terminal reaches the supervisor only. Its stdin is a pipe that nobody
    writes: it ends with the supervisor, however that ends (see ``parent``).
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        environ: Mapping[str, str],
        on_line: Callable[[bytes], None],
        reaper: Reaper,
        pass_fds: Sequence[int] = (),
        on_end: Callable[[], None] | None = None,
    ) -> None:
        self.exit_code: int | None = None
        self._last_lines: deque[str] = deque(maxlen=_REMEMBERED_LINES)
        self._ended = asyncio.Event()
        self._on_line = on_line
        self._on_end = on_end
        self._partial = b""
        self._loop = asyncio.get_running_loop()
        self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
            command,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            bufsize=0,
            pass_fds=pass_fds,
        )
        assert self._process.stdout is not None
        self._output = self._process.stdout
        os.set_blocking(self._output.fileno(), False)
        self._loop.add_reader(self._output.fileno(), self._read)
        reaper.watch(self._process.poll, self._end)

    @property
    def pid(self) -> int:
        """The process id; its process group has the same."""
        return self._process.pid

    @property
    def last_lines(self) -> Sequence[str]:
        """The last that it said, oldest first."""
        return list(self._last_lines)

    async def wait(self) -> int:
        """The exit code, once it has ended and its output is read; negative is the signal that ended it."""
        await self._ended.wait()
        assert self.exit_code is not None
        return self.exit_code

    def terminate(self) -> None:
        """Ask it to drain (SIGTERM)."""
        if self.exit_code is None:
            self._process.terminate()

    def kill(self) -> None:
        """End it and whatever it started (SIGKILL)."""
        if self.exit_code is None:
            self._kill_group()

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def _end(self, code: int) -> None:
        self._kill_group()  # what a model started must not outlive its process
        while not self._output.closed and self._read():
            pass
        if not self._output.closed:
            self._close()
        assert self._process.stdin is not None
        self._process.stdin.close()
        if self._on_end is not None:
            self._on_end()
        self.exit_code = code
        self._ended.set()

    def _read(self) -> bool:
        """Read once, so that a chatty child cannot hold the loop; whether there may be more."""
        try:
            chunk = os.read(self._output.fileno(), _LONGEST_LINE_BYTES)
        except BlockingIOError:
            return False
        if not chunk:
            self._close()
            return False
        *lines, self._partial = (self._partial + chunk).split(b"\n")
        if len(self._partial) >= _LONGEST_LINE_BYTES:
            lines.append(self._partial)
            self._partial = b""
        for line in lines:
            self._take(line)
        return True

    def _take(self, line: bytes) -> None:
        if text := line.decode(errors="replace").strip():
            self._last_lines.append(text)
            self._on_line(line)

    def _close(self) -> None:
        self._loop.remove_reader(self._output.fileno())
        self._output.close()
        self._take(self._partial)
        self._partial = b""
