"""What became of every 202, and of every prediction that Redis ever told of."""

from collections import Counter
from collections.abc import Iterator

import msgspec

from tests.chaos.follower import Follower
from tests.chaos.load import Load
from tests.chaos.model import done_of
from tests.chaos.records import Known
from tests.chaos.runs import Runs
from tests.chaos.stack import Appendfsync, pid_of
from zypher_jobs.contracts.prediction import Status

LAST_S = 1.0
"""``appendfsync everysec`` may lose what was written so long before a kill."""
LATE_S = 0.1
"""How long after it an event of the server's clock may seem to be, which is read in milliseconds."""


class Predictions(msgspec.Struct, kw_only=True):
    """The section of the ledger."""

    appendfsync: Appendfsync
    submitted: int
    refused: dict[str, int]
    accepted: int
    answered_at_once: int
    """Those of them whose answer was not a 202 but the output: sent to Redis twice, and ended meanwhile."""
    ended: dict[str, int]
    """Accepted ones by how they ended."""
    lost: list[str]
    """Accepted ones that are unknown or not terminal."""
    lost_of_last_second: int
    """Those of them that were accepted within the second before a SIGKILL of Redis."""
    unknown_to_caller: int
    """Predictions whose caller was told nothing, or no."""
    open: list[str]
    """Those of them that are there and not terminal."""
    never_ended: list[str]
    """With a terminal record, and no event that says so."""
    ended_twice: list[str]
    """With more than one terminal event that stands."""
    ended_again: list[str]
    """Whose end Redis lost when it was killed, and that ended again."""
    ends_lost_early: list[str]
    """Whose end it lost although that was older than the last second."""
    in_wrong_lists: list[str]
    wrong_outputs: list[str]
    without_run: list[str]
    """Succeeded, and the worker that reported it never came to the end of a run of it."""
    cancels: dict[str, int]
    canceled_by_nobody: list[str]
    cancels_undone: list[str]
    """Answered as canceled, and did not stay so."""
    long_polls: dict[str, int]

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"submitted               {self.submitted:8,}"
        for why, number in sorted(self.refused.items()):
            yield f"  refused               {number:8,}  {why}"
        yield f"accepted (202)          {self.accepted:8,}  of which {self.answered_at_once:,} were answered at once"
        for how, number in sorted(self.ended.items()):
            yield f"  {how:22}{number:8,}"
        yield f"  lost                  {len(self.lost):8,}  {' '.join(self.lost[:5])}"
        yield f"    of the last second before a Redis SIGKILL {self.lost_of_last_second:,}"
        yield f"without a 202, queued   {self.unknown_to_caller:8,}"
        exactly = self.accepted - len(self.lost) + self.unknown_to_caller - len(self.open)
        exactly -= len(self.never_ended) + len(self.ended_twice)
        yield f"ended exactly once      {exactly:8,}"
        yield f"  never                 {len(self.never_ended) + len(self.open):8,}"
        yield f"  twice                 {len(self.ended_twice):8,}  {' '.join(self.ended_twice[:5])}"
        yield f"  again, its end lost by Redis {len(self.ended_again):,}"
        yield f"cancels                 {_counts(self.cancels)}"
        yield f"long polls              {_counts(self.long_polls)}"

    def complaints(self) -> Iterator[str]:
        """What must not be."""
        if not self.accepted:
            yield "nothing was accepted"
        strict = self.appendfsync == "always"
        if strict and self.lost:
            yield f"lost with appendfsync always: {self.lost}"
        if len(self.lost) > self.lost_of_last_second:
            yield f"lost earlier than a second before a Redis SIGKILL: {self.lost}"
        if strict and self.ended_again:
            yield f"an end was lost with appendfsync always: {self.ended_again}"
        if odd := [why for why in self.refused if why[0] in "1234" and not why.startswith("429")]:
            yield f"refused as if the caller were wrong: {odd}"
        for what, which in (
            ("not terminal", self.open),
            ("terminal without a terminal event", self.never_ended),
            ("ended twice", self.ended_twice),
            ("its end was lost although older than a second", self.ends_lost_early),
            ("not in the list of its status alone", self.in_wrong_lists),
            ("wrong output", self.wrong_outputs),
            ("succeeded, but no run of its worker came to its end", self.without_run),
            ("canceled, but nobody asked for it", self.canceled_by_nobody),
            ("canceled by its answer, and then not", self.cancels_undone if strict else []),
        ):
            if which:
                yield f"{what}, {len(which)}: {which[:5]}"


def account(
    load: Load,
    follower: Follower,
    records: dict[str, Known],
    runs: Runs,
    *,
    appendfsync: Appendfsync,
    redis_kills: list[float],
    to_mono_s: float,
) -> Predictions:
    """``to_mono_s`` leads from the server's clock to the monotonic one."""
    accepted = [records[one] for one in load.accepted]
    others = [known for one, known in records.items() if one not in load.accepted and known.status is not None]
    everything = [*accepted, *others]
    terminal = [known for known in everything if known.is_terminal]
    succeeded = [known for known in terminal if known.status is Status.SUCCEEDED]
    canceled = {known.prediction_id for known in terminal if known.status is Status.CANCELED}
    lost = [known.prediction_id for known in accepted if not known.is_terminal]
    again = [one for one in follower.seen if follower.lost_ends(one)]
    return Predictions(
        appendfsync=appendfsync,
        submitted=len(load.works),
        refused=dict(load.refused),
        accepted=len(accepted),
        answered_at_once=load.answered_at_once,
        ended=dict(Counter(known.how for known in accepted if known.is_terminal)),
        lost=lost,
        lost_of_last_second=sum(_may_be_lost(load, one, redis_kills) for one in lost),
        unknown_to_caller=len(others),
        open=[known.prediction_id for known in others if not known.is_terminal],
        never_ended=[known.prediction_id for known in terminal if not follower.ends(known.prediction_id)],
        ended_twice=[one for one in follower.seen if len(follower.ends(one)) > 1],
        ended_again=again,
        ends_lost_early=[
            one
            for one in again
            for end in follower.lost_ends(one)
            if not any(kill - LAST_S <= end.unix_s + to_mono_s <= kill + LATE_S for kill in redis_kills)
        ],
        in_wrong_lists=[
            f"{known.prediction_id} ({known.status}) in {known.lists}"
            for known in terminal
            if known.lists != [str(known.status)]
        ],
        wrong_outputs=[*load.wrong_answers, *(text for known in succeeded for text in _wrong(known, load))],
        without_run=[known.prediction_id for known in succeeded if not _was_run(known, runs)],
        cancels=dict(Counter(load.cancels.values())),
        canceled_by_nobody=[one for one in canceled if one not in load.cancels],
        cancels_undone=[one for one, said in load.cancels.items() if said == "canceled" and one not in canceled],
        long_polls=dict(load.waited),
    )


def _may_be_lost(load: Load, prediction_id: str, redis_kills: list[float]) -> bool:
    """Whether it may have been written within the last second before a kill."""
    accepted = load.accepted[prediction_id]
    return any(accepted.sent_s <= kill and kill - LAST_S <= accepted.at_s for kill in redis_kills)


def _wrong(known: Known, load: Load) -> Iterator[str]:
    work = None if known.key is None else load.works.get(known.key)
    if work is None:
        yield f"{known.prediction_id} is no work that was sent: {known.key}"
    elif known.output != msgspec.to_builtins(done_of(work)):
        yield f"{known.prediction_id}: {known.output}"
    accepted = load.accepted.get(known.prediction_id)
    if accepted is not None and accepted.key != known.key:
        yield f"{known.prediction_id} is work {known.key}, and was sent as {accepted.key}"


def _was_run(known: Known, runs: Runs) -> bool:
    pid = pid_of(known.worker) if known.worker else 0
    return known.key is not None and any(run.came_to_its_end and run.pid == pid for run in runs.get(known.key, ()))


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in sorted(counts.items())) or "none"
