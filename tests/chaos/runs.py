"""The file of runs: when the model began what, in which process, and how that went on."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path

import msgspec

from tests.chaos.part import Life
from tests.chaos.troubles import REDIS, Troubles

TAIL_BYTES = 32_768


class Run(msgspec.Struct):
    """One time that the model ran."""

    key: int
    pid: int
    began_s: float
    ended_s: float | None = None
    """``None`` while it runs, and for ever when its process was killed."""
    came_to_its_end: bool = False
    """Not stopped."""


Runs = dict[int, list[Run]]


def read_runs(file: Path) -> Runs:
    """All runs by the key of their work."""
    return _runs(file.read_text(encoding="ascii").splitlines())


def running_now(file: Path, pid: int) -> int:
    """How many runs go on in a process, as far as the end of the file shows."""
    with file.open("rb") as tail:
        tail.seek(max(0, file.stat().st_size - TAIL_BYTES))
        lines = tail.read().decode("ascii").split("\n")[1:-1]  # the first may be cut
    return sum(run.pid == pid and run.ended_s is None for of_one in _runs(lines).values() for run in of_one)


def _runs(lines: Iterable[str]) -> Runs:
    runs: Runs = defaultdict(list)
    for line in lines:
        what, key, pid, at_s = line.split()
        if what == "begin":
            runs[int(key)].append(Run(int(key), int(pid), float(at_s)))
            continue
        for run in reversed(runs[int(key)]):
            if run.pid == int(pid) and run.ended_s is None:
                run.ended_s, run.came_to_its_end = float(at_s), what == "end"
                break
    return runs


class Overlap(msgspec.Struct, frozen=True):
    """Two runs of one work at the same time."""

    key: int
    first: str
    """The part that the first one ran on."""
    second: str
    why: str
    """What was wrong with the first one's worker or with Redis; empty if nothing was."""
    silent: bool
    """Whether the first one's worker was frozen or cut off: it could not be heard."""


def overlaps(runs: Sequence[Run], lives: Sequence[Life], troubles: Troubles, *, lease_s: float) -> list[Overlap]:
    """Those of the runs of one work that went on together, in processes that lived."""
    found: list[Overlap] = []
    for first, second in combinations(sorted(runs, key=lambda run: run.began_s), 2):
        one, other = life_of(first, lives), life_of(second, lives)
        if one is None or other is None or not second.began_s < _end_of(first, one):
            continue
        part, span = one.part, (first.began_s - lease_s, second.began_s)
        why = [each.what for each in troubles.of(part, from_s=span[0], to_s=span[1])]
        why += [f"Redis {each.what}" for each in troubles.of(REDIS, from_s=span[0], to_s=span[1])]
        silent = bool({"frozen", "cut off"} & set(why))
        found.append(Overlap(first.key, part, other.part, ", ".join(why), silent))
    return found


def life_of(run: Run, lives: Sequence[Life]) -> Life | None:
    """The process that a run ran in."""
    return next((life for life in lives if life.pid == run.pid and life.lasted(run.began_s)), None)


def _end_of(run: Run, life: Life) -> float:
    """A run that was neither ended nor stopped went on until its process was killed."""
    if run.ended_s is not None:
        return run.ended_s
    return math.inf if life.ended_s is None else life.ended_s
