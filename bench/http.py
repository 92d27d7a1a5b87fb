"""``just bench http``: synchronous ``/predict`` and asynchronous submits, beside peers that do the same work.

One process each, taking turns, and at going first too. Zypher as users run it: its mock model without latency, a key
with limits, request ids, metrics, request log, and every prediction recorded in an embedded Valkey. Its peers have no
middleware at all: FastAPI on uvicorn with uvloop and httptools; Mosec with one worker (beside its own front process, in
Rust); FastAPI with arq's ``enqueue_job``, whose Valkey is another one of the same kind and the same settings (each
write flushed to the disk, ``appendfsync always``). What all middleware together costs is seen beside the bare handler:
Zypher's own, on the same server, without the middleware. The bare prediction is that without what a handler does
(headers, errors), the bare hash not even a prediction. Machines are noisy: what counts are ratios within a round. Exit
code 1 when a bar is missed.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import msgspec

from bench.http_field import BODY, Field, Round
from bench.load import generator
from bench.peer_environment import peer_python

WARM_UP_S = 1.0

Figures = dict[str, Round]
"""Contestant → what it did in one round."""


class Bar(msgspec.Struct, frozen=True):
    """Our rate over another's, in the same round."""

    ours: str
    over: str
    least: float
    reach: float | None = None
    """What we would like."""


BARS = (
    Bar("Zypher", "FastAPI + uvicorn", 1.5, 2.5),
    Bar("Zypher", "Mosec, no batches", 1.0),
    Bar("Zypher", "bare handler", 0.65),
    Bar("Zypher, later", "FastAPI + arq, later", 2.5, 4.0),
)


def main() -> int:
    """Measure, print, and judge."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=float, default=4, help="of each turn")
    arguments.add_argument("--connections", type=int, default=64)
    options = arguments.parse_args()
    rounds: list[Figures] = []
    with (
        tempfile.TemporaryDirectory() as directory,
        Field(Path(directory), peer_python=peer_python()).servers() as all_,
    ):
        for server in all_:
            server.turn(options.connections, min(WARM_UP_S, options.seconds))
        for number in range(options.rounds):
            # whoever follows finds a warmer machine: each goes first at times
            shift = number % len(all_)
            turns = [
                (each.name, each.turn(options.connections, options.seconds)) for each in all_[shift:] + all_[:shift]
            ]
            rounds.append(dict(turns))
        names = [server.name for server in all_]
    _print_figures(names, rounds, options.connections)
    return 1 if _judge(rounds) else 0


def _print_figures(names: list[str], rounds: list[Figures], connections: int) -> None:
    print(
        f"POST /predict, {len(BODY)} bytes, {connections} connections, load by {generator()}; "
        f"medians of {len(rounds)} rounds"
    )
    print(f"{'':24}{'requests/s':>12}{'p50 ms':>10}{'p99 ms':>10}{'CPU us/request':>17}")
    for name in names:
        turns = [each[name] for each in rounds]
        cpu = [turn.cpu_us for turn in turns if turn.cpu_us is not None]
        print(
            f"{name:24}"
            f"{statistics.median(t.measured.per_second for t in turns):12,.0f}"
            f"{statistics.median(t.measured.p50_ms for t in turns):10.2f}"
            f"{statistics.median(t.measured.p99_ms for t in turns):10.2f}"
            f"{statistics.median(cpu) if cpu else float('nan'):17.1f}"
        )


def _judge(rounds: list[Figures]) -> int:
    """The bars that are missed, each by the median of the rounds' own ratios."""
    missed = 0
    print(f"\n{'':44}{'ours':>8}{'bar':>7}{'reach':>7}")
    for bar in BARS:
        ratios = [each[bar.ours].measured.per_second / each[bar.over].measured.per_second for each in rounds]
        ratio = statistics.median(ratios)
        missed += ratio < bar.least
        verdict = "holds" if ratio >= bar.least else "MISSED"
        reach = "" if bar.reach is None else f"{bar.reach:g}"
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(f"{f'{bar.ours} over {bar.over}':44}{ratio:8.2f}{bar.least:7g}{reach:>7}  {verdict} ({spread})")
    return missed


if __name__ == "__main__":
    sys.exit(main())
