"""SIGKILL of a worker → what it ran begins again: how long that took, and under which circumstances."""

import statistics
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from tests.chaos.faults import WorkerKill
from tests.chaos.part import Life
from tests.chaos.processes import Process
from tests.chaos.runs import Run, Runs
from tests.chaos.troubles import REDIS, Troubles

Circumstances = Literal["another worker served", "every worker was down", "more went wrong meanwhile"]
CIRCUMSTANCES: tuple[Circumstances, ...] = (
    "another worker served",
    "every worker was down",
    "more went wrong meanwhile",
)
UNBOUNDED: Circumstances = "more went wrong meanwhile"


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """What one SIGKILL did."""

    victims: int
    """Predictions that the worker was running."""
    longest_s: float | None
    """Until the last of those that ran again began; from a worker's return on if every worker was down."""
    circumstances: Circumstances
    never: list[str]
    """Victims that neither ran again nor ended in a way that explains it."""
    ended: list[str]
    """How victims ended that did not run again, and need not."""


class Recoveries(msgspec.Struct, kw_only=True):
    """The section of the ledger."""

    each: list[Recovery]
    bound_s: float
    wanted: int = 0
    """So many kills were to hit something while another worker served."""

    def of(self, circumstances: Circumstances) -> list[float]:
        """The times under these circumstances."""
        return [one.longest_s for one in self.each if one.circumstances == circumstances and one.longest_s is not None]

    def lines(self) -> Iterator[str]:
        """For people."""
        idle = sum(not one.victims for one in self.each)
        yield f"worker SIGKILLs {len(self.each):,}, of which {idle:,} hit a worker that ran nothing"
        for circumstances in CIRCUMSTANCES:
            kills = sum(one.circumstances == circumstances for one in self.each)
            bound = "no bound" if circumstances == UNBOUNDED else f"bound {self.bound_s:g} s"
            since = ", from a worker's return on" if circumstances == "every worker was down" else ""
            yield f"  {kills:,} while {circumstances} ({bound}{since}); last victim begins again: " + distribution(
                self.of(circumstances)
            )
        if ended := Counter(how for one in self.each for how in one.ended):
            counts = ", ".join(f"{number:,} {how}" for how, number in sorted(ended.items()))
            yield f"  victims that ended without another run: {counts}"

    def complaints(self) -> Iterator[str]:
        """What must not be."""
        for circumstances in CIRCUMSTANCES:
            late = [took for took in self.of(circumstances) if took > self.bound_s]
            if late and circumstances != UNBOUNDED:
                times = ", ".join(f"{took:.2f}" for took in late)
                yield f"recovered later than {self.bound_s:g} s while {circumstances}: {times} s"
        judged = len(self.of("another worker served"))
        if judged < 0.9 * self.wanted:
            yield f"of {self.wanted} kills only {judged} hit something while another worker served"
        if never := [text for one in self.each for text in one.never]:
            yield f"victims of a SIGKILL that never ran again: {never}"


def recovery_of(
    kill: WorkerKill,
    runs: Runs,
    processes: list[Process],
    troubles: Troubles,
    ending: Callable[[int], str | None],
    *,
    lease_s: float,
) -> Recovery:
    """``ending`` says how the prediction of a key ended without another run, if that is in order."""
    victims = [run for of_one in runs.values() for run in of_one if _was_hit(run, kill)]
    began: list[float] = []
    never: list[str] = []
    ended: list[str] = []
    for victim in victims:
        later = [run.began_s for run in runs[victim.key] if run.began_s > kill.at_s]
        if later:
            began.append(min(later))
        elif (how := ending(victim.key)) is not None:
            ended.append(how)
        else:
            never.append(f"{victim.key} of {kill.life.log.stem}")
    until_s = kill.at_s + lease_s + 1
    circumstances, from_s = _circumstances(kill, min([until_s, *began]), until_s, processes, troubles, lease_s=lease_s)
    return Recovery(
        victims=len(victims),
        longest_s=max(0.0, max(began) - from_s) if began else None,
        circumstances=circumstances,
        never=never,
        ended=ended,
    )


def _was_hit(run: Run, kill: WorkerKill) -> bool:
    return run.pid == kill.life.pid and run.ended_s is None and run.began_s <= kill.at_s


def _circumstances(
    kill: WorkerKill, first_s: float, until_s: float, processes: list[Process], troubles: Troubles, *, lease_s: float
) -> tuple[Circumstances, float]:
    """And the instant from which a recovery is to be counted."""
    at_s = kill.at_s
    workers = [one for one in processes if one.life.command == "worker" and one.life is not kill.life]
    names = {one.life.part for one in workers} | {kill.life.part}
    wrong = troubles.of(REDIS, *names, from_s=at_s, to_s=until_s, after_s=lease_s)
    if wrong or any(_ended_in(one.life, at_s, until_s) for one in workers):
        return "more went wrong meanwhile", at_s
    if any(one.served(at_s, first_s) for one in workers):
        return "another worker served", at_s
    back = [one.ready_s for one in workers if one.ready_s is not None and one.ready_s > at_s]
    return "every worker was down", min(back, default=at_s)


def _ended_in(life: Life, from_s: float, to_s: float) -> bool:
    return life.ended_s is not None and from_s <= life.ended_s <= to_s


def distribution(seconds: list[float]) -> str:
    """Of some times."""
    if not seconds:
        return "none"
    ordered = sorted(seconds)
    p90 = ordered[min(len(ordered) - 1, round(0.9 * len(ordered)))]
    return (
        f"{len(ordered)} times, shortest {ordered[0]:.2f} s, p50 {statistics.median(ordered):.2f} s, "
        f"p90 {p90:.2f} s, longest {ordered[-1]:.2f} s"
    )
