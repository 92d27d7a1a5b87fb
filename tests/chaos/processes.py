"""How each process of ours ended, and what it said: the logs, line by line."""

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from signal import SIGKILL, SIGTERM
from typing import Any

import msgspec

from tests.chaos.part import Life
from tests.chaos.troubles import REDIS, Troubles

ATTEMPTS = "zypher.worker.attempt"
"""The logger of the line that a worker writes for each attempt."""
ENDED, REFUSED = "attempt ended", "report refused: the lease was lost"
KEEPER_DIED = "the lease keeper died and is started again"
CANNOT_START = "The worker cannot start: "
"""How a worker says, in one bare line, that Redis is away; its supervisor tries again."""


class Process(msgspec.Struct):
    """One life and what it left in its log."""

    life: Life
    spoke: bool = False
    ready_s: float | None = None
    """When a worker said that it was ready, on the monotonic clock."""
    attempts: int = 0
    refused: int = 0
    keepers_died: int = 0
    last_words: str = ""
    """A bare line at its end."""
    wrong: list[str] = []
    """Lines that should not be."""

    @property
    def name(self) -> str:
        """Of the file of its log."""
        return self.life.log.stem

    def served(self, from_s: float, to_s: float) -> bool:
        """Whether it was ready all that time."""
        ended_s = self.life.ended_s
        return self.ready_s is not None and self.ready_s <= from_s and (ended_s is None or to_s < ended_s)


def read_logs(lives: Iterable[Life]) -> list[Process]:
    """All processes."""
    return [_read(life) for life in lives]


def _read(life: Life) -> Process:
    process = Process(life)
    *lines, rest = life.log.read_text(encoding="utf-8", errors="replace").split("\n")
    if rest and life.told is not SIGKILL:  # what is killed may be in the middle of a line
        lines.append(rest)
    for line in lines:
        try:
            fields: dict[str, Any] = json.loads(line)
        except ValueError:
            process.wrong.append(f"not a log line: {line}")
            continue
        process.spoke = True
        _take(process, fields)
    if len(process.wrong) == 1 and life.code == 1 and lines[-1].startswith(CANNOT_START):
        process.last_words, process.wrong = lines[-1], []
    return process


def _take(process: Process, line: dict[str, Any]) -> None:
    message = line["message"]
    if "traceback" in line:
        process.wrong.append(f"{message}: {line['traceback'][-400:]}")
    elif line["logger"] == ATTEMPTS:
        process.attempts += 1
        process.refused += message == REFUSED
        if message not in (ENDED, REFUSED):
            process.wrong.append(f"an attempt's line that the ledger does not know: {message}")
    elif message == "worker ready":
        process.ready_s = datetime.fromisoformat(line["time"]).timestamp() - (time.time() - time.monotonic())
    elif message == KEEPER_DIED:
        process.keepers_died += 1
    elif line["level"] in ("error", "critical"):
        process.wrong.append(f"{line['level']}: {message}")


class Processes(msgspec.Struct, kw_only=True):
    """The section of the ledger."""

    ends: dict[str, int]
    by_themselves: list[str]
    """Ends that nobody asked for."""
    wrong_lines: list[str]
    attempts: int
    refused: int
    keepers_died: int
    keepers_killed: int

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"processes that ended: {', '.join(f'{n:,} {how}' for how, n in sorted(self.ends.items())) or 'none'}"
        yield f"attempts logged {self.attempts:,}; late finishes refused {self.refused:,}"

    def complaints(self) -> Iterator[str]:
        """What must not be."""
        yield from (f"ended by itself: {text}" for text in self.by_themselves)
        yield from (f"in a log: {text}" for text in self.wrong_lines)
        if self.keepers_died > self.keepers_killed:
            yield f"{self.keepers_died} lease keepers died, of which {self.keepers_killed} were killed"
        if not self.attempts:
            yield "no worker logged an attempt: the ledger cannot count refused finishes"


def account(processes: list[Process], troubles: Troubles, *, keepers_killed: int) -> Processes:
    """Sort the ends into those that must be and the others."""
    ends: Counter[str] = Counter()
    alone: list[str] = []
    for process in processes:
        if process.life.ended_s is None:
            continue
        how = _how(process, troubles)
        if how is None:
            life = process.life
            told = "" if life.told is None else f", told {life.told.name}"
            ran_s = process.life.ended_s - life.started_s
            alone.append(f"{process.name} with code {life.code} after {ran_s:.1f} s{told}. {process.last_words}")
        else:
            ends[how] += 1
    return Processes(
        ends=dict(ends),
        by_themselves=alone,
        wrong_lines=[f"{process.name}: {text}" for process in processes for text in process.wrong],
        attempts=sum(process.attempts for process in processes),
        refused=sum(process.refused for process in processes),
        keepers_died=sum(process.keepers_died for process in processes),
        keepers_killed=keepers_killed,
    )


def _how(process: Process, troubles: Troubles) -> str | None:
    """How it ended, in words; ``None`` for an end that nothing explains."""
    life = process.life
    assert life.ended_s is not None
    is_worker = life.command == "worker"
    if life.told is SIGKILL and life.code == -SIGKILL:
        return "killed"
    if life.told is SIGTERM and life.code == 0:
        return "drained"
    if life.told is SIGTERM and life.code == -SIGTERM and not (process.ready_s if is_worker else process.spoke):
        return "told to end while starting"
    away = troubles.of(life.part, REDIS, from_s=life.started_s, to_s=life.ended_s)
    if is_worker and process.last_words and away:
        return "refused to start while Redis was away"
    return None
