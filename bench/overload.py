"""``just bench overload``: more requests than can be served, as ``zypher api`` with its defaults takes it.

For each model: its capacity, by callers who wait for their answers; four fifths of that from callers who come by
chance, for the usual p99; three times the capacity for a minute; and four fifths again, at once. What must hold: the
p99 of the accepted is at most twice the usual, refusals (503 with ``Retry-After``) take less than 50 ms, memory does
not grow, and all is as before within 5 s. Exit code 1 when something does not hold.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec
import uvloop

from bench.load import post
from bench.open_loop import Answer, OpenLoad
from bench.servers import own_api, resident_mb, wait_for

TEXT = msgspec.json.encode({"text": "What a piece of work is a man"})
USUAL, OVERLOAD = 0.8, 3.0
P99_BAR, REFUSAL_BAR_S, GROWTH_BAR_MB, RECOVERY_BAR_S = 2.0, 0.05, 8.0, 5.0
SETTLED_S = 0.25
"""Share of the overload after which its memory is compared with that of the end."""


class Subject(msgspec.Struct, frozen=True):
    """A model, and how many callers find out what it can do."""

    name: str
    title: str
    body: bytes
    callers: int

    @property
    def path(self) -> str:
        """Where it answers."""
        return f"/models/{self.name}/predict"


SUBJECTS = (
    Subject("waits", "waits: 5 to 20 ms, four at once", TEXT, 16),
    Subject("computes", "computes: some 5 ms of a processor, one at once", TEXT, 8),
    Subject("spins", "spins: some 0.3 ms of the event loop, so that the process itself is overloaded", TEXT, 16),
)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the requests of one phase."""

    accepted: int
    refused: int
    lost: int
    """Any other answer, or none."""
    p50_s: float
    p99_s: float
    refusal_p99_s: float
    says_when: bool
    """Whether each refusal says when to come again."""


def outcome_of(answers: Sequence[Answer]) -> Outcome:
    """Percentiles of those accepted and those refused."""
    accepted = sorted(each.latency_s for each in answers if each.status == 200)
    refused = [each for each in answers if each.status == 503]
    return Outcome(
        accepted=len(accepted),
        refused=len(refused),
        lost=len(answers) - len(accepted) - len(refused),
        p50_s=_percentile(accepted, 50),
        p99_s=_percentile(accepted, 99),
        refusal_p99_s=_percentile(sorted(each.latency_s for each in refused), 99),
        says_when=all(each.says_when for each in refused),
    )


def recovery_s(answers: Sequence[Answer], usual_p99_s: float) -> float:
    """From when on nobody is refused and each is answered as fast as it was, looked at by the second."""
    last_s = max(each.due_s for each in answers)
    for second in range(int(last_s)):
        outcome = outcome_of([each for each in answers if second <= each.due_s < second + 1])
        if not outcome.refused and not outcome.lost and outcome.p99_s <= P99_BAR * usual_p99_s:
            return float(second)
    return float("inf")


def _percentile(ordered: Sequence[float], percent: int) -> float:
    return ordered[len(ordered) * percent // 100] if ordered else 0.0


def main() -> int:
    """Measure, print, and judge."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seconds", type=float, default=60, help="of the overload")
    arguments.add_argument("--models", default=",".join(each.name for each in SUBJECTS))
    options = arguments.parse_args()
    missed = 0
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        models = ",".join(f"bench.overload_models:{each.name.title()}" for each in SUBJECTS)
        port, pid, *_ = stack.enter_context(own_api(directory, models=models))
        for subject in SUBJECTS:
            if subject.name in options.models.split(","):
                wait_for(f"http://127.0.0.1:{port}{subject.path}", subject.body)
                missed += _try(subject, port, pid, options.seconds)
    return 1 if missed else 0


def _try(subject: Subject, port: int, pid: int, seconds: float) -> int:
    """All phases of one model; how many bars it missed."""
    warm_up_s, short_s = min(2.0, seconds / 4), max(4.0, seconds / 4)
    post(port, subject.path, subject.body, connections=subject.callers, seconds=warm_up_s)
    per_s = post(port, subject.path, subject.body, connections=subject.callers, seconds=warm_up_s * 2).per_second
    print(f"\n{subject.title}: {per_s:,.0f}/s by {subject.callers} callers")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        load = OpenLoad(port, subject.path, subject.body)
        runner.run(load.open())
        usual = outcome_of(runner.run(load.run(USUAL * per_s, short_s)))
        settled_mb, answers = runner.run(_overload(load, pid, OVERLOAD * per_s, seconds))
        end_mb = resident_mb(pid)
        over = outcome_of(answers)
        back_s = recovery_s(runner.run(load.run(USUAL * per_s, RECOVERY_BAR_S + 3)), usual.p99_s)
        load.close()
    _print("four fifths", usual, short_s)
    _print("three times", over, seconds)
    judged = (
        ("p99 of the accepted, over the usual", over.p99_s / usual.p99_s, P99_BAR),
        ("p99 of the refusals, ms", over.refusal_p99_s * 1000, REFUSAL_BAR_S * 1000),
        ("refusals without Retry-After, or lost", float(over.lost + (not over.says_when)), 0),
        (f"MiB more at the end than after {SETTLED_S * seconds:.0f} s", end_mb - settled_mb, GROWTH_BAR_MB),
        ("s until all is as before", back_s, RECOVERY_BAR_S),
    )
    missed = 0
    for name, value, bar in judged:
        missed += value > bar
        print(f"  {name:44}{value:10.2f}{bar:8g}  {'holds' if value <= bar else 'MISSED'}")
    return missed


async def _overload(load: OpenLoad, pid: int, per_s: float, seconds: float) -> tuple[float, list[Answer]]:
    """The server's memory once it has settled under it, and the answers."""
    running = asyncio.create_task(load.run(per_s, seconds))
    await asyncio.sleep(SETTLED_S * seconds)
    settled_mb = resident_mb(pid)
    return settled_mb, await running


def _print(name: str, outcome: Outcome, seconds: float) -> None:
    print(
        f"  {name:14}{outcome.accepted / seconds:10,.0f}/s accepted{outcome.refused / seconds:10,.0f}/s refused"
        f"   p50 {outcome.p50_s * 1000:.1f} ms   p99 {outcome.p99_s * 1000:.1f} ms"
    )


if __name__ == "__main__":
    sys.exit(main())
