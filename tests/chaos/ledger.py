"""The ledger: all that the faults did and what became of every prediction, for people, and what must not be."""

import time
from collections.abc import Iterator

import msgspec

from tests.chaos import predictions, processes
from tests.chaos.buried import Burials, exhume
from tests.chaos.faults import Faults
from tests.chaos.follower import Follower
from tests.chaos.load import Load
from tests.chaos.predictions import Predictions
from tests.chaos.processes import Processes, read_logs
from tests.chaos.records import Known, read_records
from tests.chaos.recovery import Recoveries, distribution, recovery_of
from tests.chaos.runs import Overlap, overlaps, read_runs
from tests.chaos.stack import Appendfsync, Stack
from zypher_jobs.contracts.prediction import Status


class Repeats(msgspec.Struct, kw_only=True):
    """The section on work that was run more than once."""

    in_turn: int
    """Only one after the other."""
    silent: int
    """At the same time as a run on a worker that was frozen or cut off."""
    live: list[Overlap]
    """At the same time, on workers that lived and could be heard."""
    is_judged: bool
    """Not where the machine may keep a lease from being renewed in time."""

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"run more than once, one after the other {self.in_turn:,}"
        yield f"run twice at the same time: {self.silent:,} beside a frozen or cut off worker, {len(self.live):,} live"
        for one in self.live[:10]:
            yield f"  work {one.key} on {one.first} and {one.second}: {one.why or 'nothing was wrong'}"

    def complaints(self) -> Iterator[str]:
        """What must not be."""
        unexplained = [one for one in self.live if not one.why]
        if unexplained and self.is_judged:
            yield f"run twice at the same time though nothing was wrong: {unexplained}"


class Ledger(msgspec.Struct, kw_only=True):
    """The result of one run; ``lines`` prints it, ``complaints`` are empty if all is well."""

    title: str
    predictions: Predictions
    burials: Burials
    repeats: Repeats
    recoveries: Recoveries
    processes: Processes
    faults: dict[str, int]
    """What was really done."""
    left_out: dict[str, int]
    not_done: list[str]
    """Kinds of faults that the run was long enough for."""
    failures: list[str]
    """Of the test's own faults."""
    redis_recovery_s: list[float]
    """From a Redis that answers again to the first 202."""
    left_behind: dict[str, int]
    """Keys that say that something waits or runs, when nothing should."""
    missing: list[str]
    """Parts that did not come back."""

    def lines(self) -> Iterator[str]:
        """The ledger for people."""
        yield self.title
        yield from self.predictions.lines()
        yield from self.burials.lines()
        yield from self.repeats.lines()
        yield from self.processes.lines()
        yield f"left behind: {self.left_behind or 'nothing'}"
        for name, number in sorted(self.faults.items()):
            yield f"  {number:6,} times {name}"
        for name, number in sorted(self.left_out.items()):
            yield f"  {number:6,} left out, as there was nothing to do it to: {name}"
        yield from self.recoveries.lines()
        yield f"Redis answers again → first 202: {distribution(self.redis_recovery_s)}"
        yield from (f"WRONG: {complaint}" for complaint in self.complaints())

    def complaints(self) -> list[str]:
        """What must not be."""
        found = [f"a fault failed: {failure}" for failure in self.failures]
        found += [f"never done: {kind}" for kind in self.not_done]
        if self.left_behind:
            found.append(f"left behind: {self.left_behind}")
        if self.missing:
            found.append(f"did not come back: {self.missing}")
        for section in (self.predictions, self.burials, self.repeats, self.recoveries, self.processes):
            found += section.complaints()
        return found


async def take_stock(
    stack: Stack,
    load: Load,
    faults: Faults,
    follower: Follower,
    *,
    title: str,
    appendfsync: Appendfsync,
    lease_s: float,
    slack_s: float,
    kinds: list[str],
    kills: int,
    left: dict[str, int],
    missing: list[str],
) -> Ledger:
    """The ledger, once the stack has settled; ``slack_s`` is what a loaded machine may add to the bounds."""
    await follower.finish()
    to_mono_s = time.monotonic() - time.time()
    records = await read_records(stack.client, list(dict.fromkeys([*load.accepted, *follower.seen])))
    by_key = {known.key: known for known in records.values() if known.key is not None}
    runs = read_runs(stack.runs_file)
    lives = stack.lives
    logs = read_logs(lives)
    again = {key: of_one for key, of_one in runs.items() if len(of_one) > 1}
    together = {
        key: found for key, one in again.items() if (found := overlaps(one, lives, faults.troubles, lease_s=lease_s))
    }
    live = [one for found in together.values() for one in found if not one.silent]

    def ending(key: int) -> str | None:
        return _ending(by_key.get(key), is_lossy=bool(faults.redis_kills) and appendfsync == "everysec")

    return Ledger(
        title=title,
        predictions=predictions.account(
            load,
            follower,
            records,
            runs,
            appendfsync=appendfsync,
            redis_kills=faults.redis_kills,
            to_mono_s=to_mono_s,
        ),
        burials=Burials(
            [
                exhume(
                    known,
                    follower.seen.get(known.prediction_id, []),
                    runs.get(known.key or 0, []),
                    lives,
                    faults.troubles,
                    to_mono_s=to_mono_s,
                )
                for known in records.values()
                if known.status in (Status.FAILED, Status.EXPIRED)
            ]
        ),
        repeats=Repeats(
            in_turn=len(again) - len(together),
            silent=sum(all(one.silent for one in found) for found in together.values()),
            live=live,
            is_judged=not slack_s,
        ),
        recoveries=Recoveries(
            each=[
                recovery_of(kill, runs, logs, faults.troubles, ending, lease_s=lease_s) for kill in faults.worker_kills
            ],
            bound_s=lease_s + 1 + slack_s,
            wanted=kills,
        ),
        processes=processes.account(logs, faults.troubles, keepers_killed=faults.done["lease keeper SIGKILL"]),
        faults=dict(faults.done),
        left_out=dict(faults.left_out),
        not_done=[kind for kind in kinds if not faults.done[kind]],
        failures=faults.failures,
        redis_recovery_s=[
            min(after) - back
            for back in faults.redis_back
            if (after := [accepted.at_s for accepted in load.accepted.values() if accepted.at_s > back])
        ],
        left_behind=left,
        missing=missing,
    )


def _ending(known: Known | None, *, is_lossy: bool) -> str | None:
    """How a prediction ended that was not run again; ``None`` if it should have been."""
    if known is None or known.status is None:
        return "lost by Redis" if is_lossy else None  # an accepted one is among the lost ones, and judged there
    return known.how if known.is_terminal else None
