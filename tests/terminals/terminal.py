"""A command on a terminal of its own, as a person would run it: what it writes, and what is seen of it."""

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyte
from rich.cells import cell_len

ENTER_FULL_SCREEN = "\x1b[?1049h"
LEAVE_FULL_SCREEN = "\x1b[?1049l"
SIZE = ("COLUMNS", "LINES")
"""What pytest-xdist gives its workers would stand before the terminal's own."""
LOOK_S = 0.05
"""Between two looks at what is waited for."""
_SEQUENCES = re.compile(r"\x1b(?:\[[0-9;?<>=]*[A-Za-z]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|.)")


class Terminal:
    """A pseudo-terminal; nothing of what is written is taken, nor seen, but by ``read`` and what waits."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = 120,
        rows: int = 36,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
        controls: bool = False,
    ) -> None:
        """``environment`` is all of it. ``controls``: whether its keys send signals, and its end does."""
        self._ours, self._theirs = pty.openpty()
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.set_blocking(self._ours, False)
        self._modes_before = self._modes()
        self._is_open = True
        self.output = b""
        """All that it wrote; ``keep`` it, or not."""
        self.keep = True
        self.received_bytes = 0
        """So much it wrote."""
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        told = {name: value for name, value in (environment or os.environ).items() if name not in SIZE}
        self.started_s = time.perf_counter()
        self.read_s = self.started_s
        """When (``perf_counter``) it last wrote; to see that on the screen takes longer here than on a real one."""
        self.process = subprocess.Popen(
            command,
            env=told | {"TERM": "xterm-256color", "COLORTERM": "truecolor"},
            cwd=directory,
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            start_new_session=True,
            preexec_fn=_take_terminal if controls else None,  # noqa: PLW1509  # one call between fork and exec
        )

    @property
    def lines(self) -> list[str]:
        """What stands on the screen."""
        return [self._line(row) for row in range(self._screen.lines)]

    @property
    def text(self) -> str:
        """The same, as one."""
        return "\n".join(line.rstrip() for line in self.lines)

    @property
    def written(self) -> str:
        """All that it wrote, sequences and all."""
        return self.output.decode(errors="replace")

    @property
    def after_full_screen(self) -> str:
        """What can be read of what it wrote since the full screen was last left."""
        return _SEQUENCES.sub("", self.written.rpartition(LEAVE_FULL_SCREEN)[2])

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

    def until(self, so: Callable[[], object], *, timeout_s: float = 60.0) -> float:
        """Read on until it is so; when (``perf_counter``) it last wrote. Raises ``TimeoutError`` with the screen."""
        deadline_s = time.perf_counter() + timeout_s
        while True:
            has_ended = self.process.poll() is not None
            self.read(LOOK_S)
            if so():
                return self.read_s
            if has_ended or time.perf_counter() > deadline_s:
                raise TimeoutError(f"not so, with this screen:\n{self.text}")

    def wait(self, seen: Callable[[str], bool], *, timeout_s: float = 30.0) -> float:
        """Until the screen's text is like that; when (``perf_counter``) that came. Raises ``TimeoutError``."""
        return self.until(lambda: seen(self.text), timeout_s=timeout_s)

    def wait_for_end(self, *, timeout_s: float = 20.0) -> int:
        """The exit code, once the process has ended; raises ``TimeoutError``."""
        self.until(lambda: self.process.poll() is not None, timeout_s=timeout_s)
        self.read()
        return self.process.returncode

    def type(self, keys: bytes | str) -> None:
        """Press keys."""
        os.write(self._ours, keys.encode() if isinstance(keys, str) else keys)

    def is_sane(self) -> bool:
        """Whether the terminal's modes are as they were before the command."""
        return self._modes() == self._modes_before

    def hang_up(self) -> None:
        """Take the terminal away; a process that it does not control is told by no signal."""
        if self._is_open:
            os.close(self._ours)
            os.close(self._theirs)
            self._is_open = False

    def close(self) -> None:
        """Leave nothing behind."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.hang_up()

    def _modes(self) -> list[Any]:
        return termios.tcgetattr(self._theirs)

    def _line(self, row: int) -> str:
        """One line; half of a wide character that was written over is a space, where pyte's own way to it fails."""
        text, is_second_half = "", False
        for column in range(self._screen.columns):
            data = self._screen.buffer[row][column].data
            if data or not is_second_half:
                text += data or " "
            is_second_half = bool(data) and cell_len(data) == 2
        return text


def _take_terminal() -> None:
    """Before the command: what it stands on controls it."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
