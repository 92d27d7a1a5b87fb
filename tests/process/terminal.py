"""A command on a terminal of its own, as a person would run it."""

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyte

from zypher_jobs.testing import wait_until

ENTER_FULL_SCREEN = "\x1b[?1049h"
LEAVE_FULL_SCREEN = "\x1b[?1049l"
SIZE = ("COLUMNS", "LINES")
"""What pytest-xdist gives its workers would stand before the terminal's own."""
_SEQUENCES = re.compile(r"\x1b(?:\[[0-9;?<>=]*[A-Za-z]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|.)")


class Terminal:
    """A pseudo-terminal of 120 by 36 with a command in its foreground."""

    def __init__(self, command: Sequence[str], *, environ: Mapping[str, str], directory: Path) -> None:
        self._ours, self._theirs = pty.openpty()
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
        self.modes_before = self._modes()
        self._shown = b""
        self._screen = pyte.Screen(120, 36)
        self._stream = pyte.ByteStream(self._screen)
        os.set_blocking(self._ours, False)
        self.process = subprocess.Popen(
            command,
            env={name: value for name, value in environ.items() if name not in SIZE} | {"TERM": "xterm-256color"},
            cwd=directory,
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            start_new_session=True,
            preexec_fn=self._take_terminal,  # noqa: PLW1509  # one call between fork and exec
        )

    @property
    def shown(self) -> str:
        """Everything written to the terminal so far, sequences and all."""
        with contextlib.suppress(BlockingIOError, OSError):
            while chunk := os.read(self._ours, 65_536):
                self._shown += chunk
                self._stream.feed(chunk)
        return self._shown.decode(errors="replace")

    @property
    def text(self) -> str:
        """What a person sees of it."""
        return "\n".join(self._screen.display) if self.shown else ""

    @property
    def after_full_screen(self) -> str:
        """What was written since the full screen was last left."""
        return _SEQUENCES.sub("", self.shown.rpartition(LEAVE_FULL_SCREEN)[2])

    async def ended(self, *, timeout_s: float = 20) -> int:
        """The exit code, once it has ended; what it writes meanwhile is read."""
        await wait_until(lambda: (self.shown, self.process.poll())[1] is not None, timeout_s=timeout_s)
        return self.process.returncode

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._ours, keys.encode())

    def is_sane(self) -> bool:
        """Whether the terminal's modes are as they were before the command."""
        return self._modes() == self.modes_before

    def close(self) -> None:
        """Take the terminal away, once the command has ended."""
        os.close(self._ours)
        os.close(self._theirs)

    def _modes(self) -> list[Any]:
        return termios.tcgetattr(self._theirs)

    def _take_terminal(self) -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
