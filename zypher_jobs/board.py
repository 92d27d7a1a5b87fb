"""``Board``: figures of several processes in one piece of shared memory, so that any of them can tell the sums.

Each process has a lane that it alone writes: adding one to a cell takes no lock and no system call. The memory belongs
to whoever started the processes, so a killed one's counts stay, and who takes its lane over goes on from them: sums
never fall.
"""

import math
import mmap
import os
import tempfile
from collections.abc import Iterator, Mapping
from enum import IntEnum
from functools import cached_property
from typing import TypeAlias

import msgspec

LANE_BYTES = 1 << 20
"""Room for some thousand rows; what is not written takes no memory."""
_CELL_BYTES = 8
_USED, _PID, _STATE, _STOPPING = range(4)
_HEADER_CELLS = 4
_ROW_HEAD_CELLS = 2

Labels = tuple[str, ...]
Cells: TypeAlias = "memoryview[float]"
"""Numbers (8-byte floats) that others see as soon as they are written."""


class LaneState(IntEnum):
    """What the process in a lane does."""

    FREE = 0
    STARTING = 1
    READY = 2
    DRAINING = 3


class Lane:
    """The rows of one process: a family and labels, then cells."""

    def __init__(self, memory: memoryview) -> None:
        self._bytes = memory
        self._cells = memory.cast("d")

    @cached_property
    def _rows(self) -> dict[tuple[str, Labels], Cells]:
        return {(family, labels): cells for family, labels, cells in self.rows()}

    @property
    def pid(self) -> int:
        """Whose it is; 0 if nobody's."""
        return int(self._cells[_PID])

    @property
    def state(self) -> LaneState:
        """What that one does."""
        return LaneState(int(self._cells[_STATE]))

    def enter(self, pid: int) -> None:
        """It is this process's from now on; its counts go on from where they are."""
        self._cells[_PID] = pid
        self._cells[_STATE] = LaneState.STARTING

    def say(self, state: LaneState) -> None:
        """Tell what this process does."""
        self._cells[_STATE] = state

    def leave(self) -> None:
        """The process has ended: its counts stay, what it said of the moment is no longer so."""
        self._cells[_PID] = 0
        self._cells[_STATE] = LaneState.FREE

    def cells(self, family: str, labels: Labels, count: int) -> Cells:
        """The cells of a row, new ones of 0. Once a lane is full, those of a new row are seen by nobody."""
        row = self._rows.get((family, labels))
        if row is None or len(row) != count:
            row = self._rows[family, labels] = self._append(msgspec.msgpack.encode((family, *labels)), count)
        return row

    def rows(self) -> Iterator[tuple[str, Labels, Cells]]:
        """Every row that is whole."""
        at, used = _HEADER_CELLS, int(self._cells[_USED])
        while at < used:
            key_bytes, count = int(self._cells[at]), int(self._cells[at + 1])
            at += _ROW_HEAD_CELLS
            key = self._bytes[at * _CELL_BYTES : at * _CELL_BYTES + key_bytes]
            at += -(-key_bytes // _CELL_BYTES)
            family, *labels = msgspec.msgpack.decode(key, type=list[str])
            yield family, tuple(labels), self._cells[at : at + count]
            at += count

    def _append(self, key: bytes, count: int) -> Cells:
        at = max(int(self._cells[_USED]), _HEADER_CELLS)
        first = at + _ROW_HEAD_CELLS + -(-len(key) // _CELL_BYTES)
        if first + count > len(self._cells):
            return memoryview(bytearray(count * _CELL_BYTES)).cast("d")
        start = (at + _ROW_HEAD_CELLS) * _CELL_BYTES
        self._bytes[start : start + len(key)] = key
        self._cells[at], self._cells[at + 1] = len(key), count
        for number in range(first, first + count):
            self._cells[number] = 0
        self._cells[_USED] = first + count  # at last: half a row is never read
        return self._cells[first : first + count]


class Board:
    """All lanes. ``fd`` is that of the shared memory, to be inherited by the processes; ``None`` for one's own."""

    def __init__(self, fd: int | None = None, *, lanes: int = 1) -> None:
        self.fd = fd
        size = lanes * LANE_BYTES if fd is None else os.fstat(fd).st_size
        self._memory = memoryview(mmap.mmap(-1 if fd is None else fd, size))
        self.lane_count = size // LANE_BYTES

    @classmethod
    def shared(cls, *, lanes: int) -> "Board":
        """A new one, that child processes may share."""
        if hasattr(os, "memfd_create"):
            fd = os.memfd_create("zypher-board")
        else:  # outside of Linux: a file without a name
            with tempfile.TemporaryFile() as file:
                fd = os.dup(file.fileno())
        os.ftruncate(fd, lanes * LANE_BYTES)
        return cls(fd)

    @property
    def is_stopping(self) -> bool:
        """Whether whoever started the processes is about to end them all."""
        return self._memory[: _HEADER_CELLS * _CELL_BYTES].cast("d")[_STOPPING] != 0

    def stop(self) -> None:
        """Let every process say that it is not ready any more."""
        self._memory[: _HEADER_CELLS * _CELL_BYTES].cast("d")[_STOPPING] = 1

    def lane(self, number: int) -> Lane:
        """One of them, from 0."""
        start = number * LANE_BYTES
        return Lane(self._memory[start : start + LANE_BYTES])

    def read(self) -> "Reading":
        """Everything at this moment."""
        return Reading({number: self.lane(number) for number in range(self.lane_count) if self._is_used(number)})

    def _is_used(self, number: int) -> bool:
        start = number * LANE_BYTES
        header = self._memory[start : start + _HEADER_CELLS * _CELL_BYTES].cast("d")
        return header[_USED] != 0 or header[_PID] != 0


class Reading:
    """What stood on a board."""

    def __init__(self, lanes: Mapping[int, Lane]) -> None:
        self.pids = {number: lane.pid for number, lane in lanes.items() if lane.pid}
        """Of the processes that live, by their lane."""
        self._counters: dict[str, dict[Labels, list[float]]] = {}
        self._gauges: dict[str, dict[Labels, list[float]]] = {}
        for lane in lanes.values():
            for family, labels, cells in lane.rows():
                values = [float(value) for value in cells]
                self._add(family, labels, values)
                if lane.pid and not math.isnan(values[0]):
                    self._gauges.setdefault(family, {}).setdefault(labels, []).append(values[0])

    def counters(self, family: str) -> dict[Labels, list[float]]:
        """The sums over all processes that there ever were."""
        return self._counters.get(family, {})

    def gauges(self, family: str) -> dict[Labels, list[float]]:
        """One value of each process that lives and has one."""
        return self._gauges.get(family, {})

    def _add(self, family: str, labels: Labels, values: list[float]) -> None:
        sums = self._counters.setdefault(family, {}).setdefault(labels, [0.0] * len(values))
        if len(sums) == len(values):
            sums[:] = [a + b for a, b in zip(sums, values, strict=True)]
