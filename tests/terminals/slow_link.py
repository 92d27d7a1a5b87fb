"""A terminal at the other end of a slow line: it takes so many bytes in a second, and answers when it is asked."""

import contextlib
import fcntl
import os
import select
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.terminals.terminal import Terminal

WHERE = b"\x1b[6n"
"""Where is the cursor?"""
HERE = b"\x1b[1;1R"
STEP_S = 0.02


class SlowLink(Terminal):
    """``bytes_per_s`` can be set at any time; ``None``: as fast as it comes, 0: nothing at all."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        answers: bool = True,
        columns: int = 120,
        rows: int = 36,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.bytes_per_s: float | None = None
        self.taken_bytes = 0
        self.frames = 0
        """So many were taken to their end, as far as it asked."""
        self.idle_s = 0.0
        """For so long it would have taken more, and nothing came."""
        self._answers = answers
        self._tail = b""
        self._may_take = 0.0
        self._looked_s = time.perf_counter()
        super().__init__(command, columns=columns, rows=rows, environment=environment)
        self.keep = False

    @property
    def waiting_bytes(self) -> int:
        """What was written and not taken yet, as far as the system has it."""
        return int(struct.unpack("i", fcntl.ioctl(self._ours, termios.FIONREAD, b"\0" * 4))[0])

    @property
    def resident_mb(self) -> float:
        """Memory of the process."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def read(self, timeout_s: float = 0.0) -> bytes:
        """As the line allows."""
        now_s = time.perf_counter()
        passed_s, self._looked_s = now_s - self._looked_s, now_s
        if self.bytes_per_s is None:
            return self._note(super().read(timeout_s))
        self._may_take = min(self._may_take + passed_s * self.bytes_per_s, max(self.bytes_per_s / 10, 1))
        if self._may_take < 1:
            select.select([], [], [], STEP_S)  # the line's own pace
            return b""
        if not select.select([self._ours], [], [], STEP_S)[0]:
            self.idle_s += STEP_S
            return b""
        read = b""
        with contextlib.suppress(BlockingIOError, OSError):  # as it is when the other side is gone
            read = os.read(self._ours, int(self._may_take))
        self._may_take -= len(read)
        self.read_s = time.perf_counter()
        self._stream.feed(read)
        return self._note(read)

    def scribble(self, text: str) -> None:
        """Another program writes over the first line."""
        self._stream.feed(f"\x1b[H{text}".encode())

    def _note(self, read: bytes) -> bytes:
        self.taken_bytes += len(read)
        asked = (self._tail + read).count(WHERE)
        self._tail = (self._tail + read)[-len(WHERE) + 1 :] if read else self._tail
        self.frames += asked
        if self._answers and asked:
            os.write(self._ours, HERE * asked)
        return read
