"""``just bench models``: two ONNX models behind Zypher, Mosec and LitServe, with batches and without, all in one run.

One process each, the same model code, the same session options (one thread computes), the same input, at 1, 16 and 64
callers; taking turns, and at going first too. Zypher as users run it: ``zypher api`` with its defaults (so two runs of
the model side by side), every prediction recorded in an embedded Valkey on this machine; without batches it is
``max_batch_size = 1``. Mosec and LitServe as they come, with one worker, and with a ``max_batch_size`` of 16; from an
environment of their own (``.venv-bench``; ``ZYPHER_BENCH_PYTHON`` names another). Machines are noisy: what counts are
ratios within a round. Exit code 1 when a bar is missed.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from bench.load import Measured
from bench.models_cost import batcher_cost_ms
from bench.models_field import (
    ALL,
    DIGITS,
    ENCODER,
    LITSERVE,
    MOSEC,
    OURS,
    SUBJECTS,
    UNBATCHED,
    Contestant,
    Field,
    Server,
    Subject,
)
from bench.peer_environment import peer_python
from zypher_jobs.queue.embedded import EmbeddedServer

CALLERS = (1, 16, 64)
COST_BAR_MS = 0.2
WARM_UP_S = 0.5

Round = dict[str, Measured]
"""Contestant → what it did."""


class Bar(msgspec.Struct, frozen=True):
    """At 64 callers."""

    subject: Subject
    over: Contestant
    least: float


BARS = (
    Bar(ENCODER, UNBATCHED, 2),
    Bar(ENCODER, MOSEC, 1),
    Bar(DIGITS, MOSEC, 1),
    Bar(ENCODER, LITSERVE, 5),
    Bar(DIGITS, LITSERVE, 5),
)


def main() -> int:
    """Measure, print, and judge."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=float, default=1.5, help="of each turn")
    arguments.add_argument("--models", default=",".join(each.name for each in SUBJECTS))
    arguments.add_argument("--callers", default=",".join(map(str, CALLERS)))
    options = arguments.parse_args()
    subjects = [each for each in SUBJECTS if each.name in options.models.split(",")]
    callers = [int(each) for each in options.callers.split(",")]
    rounds: dict[tuple[str, int], list[Round]] = {}
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        valkey = EmbeddedServer(directory / "data")
        valkey.start()
        stack.callback(valkey.stop)
        field = Field(directory, peer_python=peer_python(), redis_url=valkey.url)
        for subject in subjects:
            with field.servers(subject) as servers:
                for number in range(options.rounds):
                    for count in callers:
                        measured = _round(servers, count, options.seconds, first=number)
                        rounds.setdefault((subject.name, count), []).append(measured)
    cost_ms = batcher_cost_ms()
    _print_figures(subjects, callers, rounds)
    return 1 if _judge(rounds, cost_ms) else 0


def _round(servers: Sequence[Server], callers: int, seconds: float, *, first: int) -> Round:
    """One turn of each; whoever follows finds a warmer machine, so each goes first at times."""
    shift = first % len(servers)
    measured: Round = {}
    for server in [*servers[shift:], *servers[:shift]]:
        server.load(callers, WARM_UP_S)
        measured[server.contestant.name] = server.load(callers, seconds)
    return measured


def _print_figures(
    subjects: Sequence[Subject], callers: Sequence[int], rounds: dict[tuple[str, int], list[Round]]
) -> None:
    for subject in subjects:
        count = len(rounds[subject.name, callers[0]])
        print(f"\n{subject.title}; medians of {count}")
        print(f"  {'callers':20}" + "".join(f"{each:>30}" for each in callers))
        print(f"  {'':20}" + f"{'per second':>12}{'p50 ms':>9}{'p99 ms':>9}" * len(callers))
        for contestant in ALL:
            cells = ""
            for each in callers:
                turns = [one[contestant.name] for one in rounds[subject.name, each]]
                cells += f"{statistics.median(turn.per_second for turn in turns):12,.0f}"
                cells += f"{statistics.median(turn.p50_ms for turn in turns):9.2f}"
                cells += f"{statistics.median(turn.p99_ms for turn in turns):9.2f}"
            print(f"  {contestant.name:20}{cells}")


def _judge(rounds: dict[tuple[str, int], list[Round]], cost_ms: float) -> int:
    """The bars that are missed, each by the median of the rounds' own ratios."""
    missed = 0
    print(f"\n{'':44}{'ours':>8}{'bar':>7}")
    for bar in BARS:
        measured = rounds.get((bar.subject.name, 64))
        if measured is None:
            continue
        ratio = statistics.median(each[OURS.name].per_second / each[bar.over.name].per_second for each in measured)
        missed += ratio < bar.least
        verdict = "holds" if ratio >= bar.least else "MISSED"
        print(f"{f'{bar.subject.name}, 64 callers: over {bar.over.name}':44}{ratio:8.2f}{bar.least:7g}  {verdict}")
    verdict = "holds" if cost_ms < COST_BAR_MS else "MISSED"
    print(f"{'1 caller: the batcher adds, ms':44}{cost_ms:8.3f}{COST_BAR_MS:7g}  {verdict}")
    return missed + (cost_ms >= COST_BAR_MS)


if __name__ == "__main__":
    sys.exit(main())
