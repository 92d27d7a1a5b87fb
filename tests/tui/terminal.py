"""A terminal for a process of its own: what it writes, and what a person would see of it."""

import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence

import pyte
from rich.cells import cell_len


class Terminal:
    """Runs a command on a pseudo-terminal, and reads what it writes into a screen."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = 120,
        rows: int = 36,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.set_blocking(self._ours, False)
        told = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"} | dict(environment or {})
        for name in ("COLUMNS", "LINES"):  # pytest-xdist gives its workers a size of its own
            told.pop(name, None)
        self.started_s = time.perf_counter()
        self.process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env=told,
        )
        os.close(theirs)
        self._is_open = True
        self.output = b""
        """All that it wrote; ``keep`` it, or not."""
        self.keep = True
        self.received_bytes = 0
        """So much it wrote."""
        self.read_s = self.started_s
        """When (``perf_counter``) it last wrote; to see that on the screen takes longer here than on a real one."""
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)

    @property
    def lines(self) -> list[str]:
        """What stands on the screen."""
        return [self._line(row) for row in range(self._screen.lines)]

    @property
    def text(self) -> str:
        """The same, as one."""
        return "\n".join(line.rstrip() for line in self.lines)

    def _line(self, row: int) -> str:
        """One line; half of a wide character that was written over is a space, where pyte's own way to it fails."""
        text, is_second_half = "", False
        for column in range(self._screen.columns):
            data = self._screen.buffer[row][column].data
            if data or not is_second_half:
                text += data or " "
            is_second_half = bool(data) and cell_len(data) == 2
        return text

    def read(self, timeout_s: float = 0.0) -> bytes:
        """What it wrote since the last time, waiting for something at most so long; the screen follows."""
        read = b""
        if select.select([self._ours], [], [], timeout_s)[0]:
            with contextlib.suppress(BlockingIOError, OSError):
                while chunk := os.read(self._ours, 65_536):
                    read += chunk
        if read:
            self.read_s = time.perf_counter()
        self.received_bytes += len(read)
        if self.keep:
            self.output += read
        self._stream.feed(read)
        return read

    def wait(self, seen: Callable[[str], bool], *, timeout_s: float = 30.0) -> float:
        """Until the screen's text is like that; when (``perf_counter``) that came. Raises ``TimeoutError``."""
        deadline_s = time.perf_counter() + timeout_s
        while True:
            self.read(0.05)
            if seen(self.text):
                return self.read_s
            if self.process.poll() is not None or time.perf_counter() > deadline_s:
                raise TimeoutError(f"not seen on this screen:\n{self.text}")

    def type(self, keys: bytes | str) -> None:
        """Press keys."""
        os.write(self._ours, keys.encode() if isinstance(keys, str) else keys)

    def has_ended(self) -> bool:
        """Whether the process is gone; reads on, so that it never waits for room to write."""
        self.read()
        return self.process.poll() is not None

    def wait_for_end(self, *, timeout_s: float = 10.0) -> None:
        """Read on until the process has ended; raises ``TimeoutError``."""
        deadline_s = time.perf_counter() + timeout_s
        while not self.has_ended():
            if time.perf_counter() > deadline_s:
                raise TimeoutError(f"it goes on with this screen:\n{self.text}")
            self.read(0.05)

    def hang_up(self) -> None:
        """Take the terminal away; the process has no controlling one, so no signal tells it."""
        os.close(self._ours)
        self._is_open = False

    def close(self) -> None:
        """Leave nothing behind."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self._is_open:
            os.close(self._ours)
