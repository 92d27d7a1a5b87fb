"""What the contestants' functions tell the bench: how many have begun, and how late the last one began.

A shared page of counters: telling costs no system call, no round trip and no log line, and is the same for everybody.
"""

import asyncio
import mmap
import os
import time
from pathlib import Path

SLOTS = 64
"""Worker processes at most; a cell each. Behind them: the last pick-up time in ns, the gate, who is ready."""
_LATEST, _GATE, _READY = SLOTS, SLOTS + 1, SLOTS + 2
_CELLS = _READY + SLOTS
SIZE = _CELLS * 8
STAMP = "@"
"""An input that begins with it holds the ``CLOCK_MONOTONIC`` ns of its submit."""


class Meter:
    """The page, from either side."""

    def __init__(self, path: Path, slot: int = 0) -> None:
        with path.open("r+b") as file:
            self._cells = memoryview(mmap.mmap(file.fileno(), SIZE)).cast("Q")
        self._slot = slot

    @classmethod
    def from_environment(cls) -> "Meter":
        """The page that the bench made for this process."""
        return cls(Path(os.environ["BENCH_METER"]), int(os.environ.get("BENCH_SLOT", "0")))

    def begin(self, text: str) -> None:
        """The function was called."""
        if text.startswith(STAMP):
            self._cells[_LATEST] = time.monotonic_ns() - int(text[1:])
        self._cells[self._slot] += 1

    def begun(self) -> int:
        """Calls so far, of all processes."""
        return sum(self._cells[:SLOTS])

    def latest_ns(self) -> int:
        """From the submit of the last stamped input to the call."""
        return self._cells[_LATEST]

    def clear(self) -> None:
        """Begin anew."""
        for cell in range(_CELLS):
            self._cells[cell] = 0

    def wait_at_gate(self) -> None:
        """A worker process that has imported everything waits for the others, and for the queue to be full."""
        self._cells[_READY + self._slot] = 1
        while not self._cells[_GATE]:
            time.sleep(0.002)

    def ready(self) -> int:
        """Worker processes at the gate, or through it."""
        return sum(self._cells[_READY:])

    def open_gate(self) -> None:
        """Begin."""
        self._cells[_GATE] = 1


class Function:
    """What every peer's worker runs: nothing, or a wait of ``BENCH_SLEEP_S``."""

    def __init__(self) -> None:
        self._meter = Meter.from_environment()
        self._sleep_s = float(os.environ.get("BENCH_SLEEP_S", "0"))

    async def __call__(self, text: str) -> str:
        """The text again."""
        self._meter.begin(text)
        if self._sleep_s:
            await asyncio.sleep(self._sleep_s)
        return text
