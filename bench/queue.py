"""``just bench queue``: the queue beside arq, SAQ, streaQ, taskiq-redis and a bare redis-py loop, all in one run.

Everybody on the same private server over its unix socket, with uvloop and hiredis, without log lines; taking turns, and
at going first too. Ours is what users run: predictions through ``PredictionQueue``, and the worker of ``zypher worker``
with the mock model, records, events and leases on. The peers run a function that does nothing, from an environment of
their own (``.venv-bench``; ``ZYPHER_BENCH_PYTHON`` names another). The server keeps no append-only file, as Redis comes
and as the peers are measured elsewhere; ``--fsync always`` is how the product runs it, for everybody. Machines are
noisy: what counts are ratios within a round. Exit code 1 when a bar is missed.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.peer_environment import peer_python
from bench.queue_bars import BARS, Round
from bench.queue_field import Field
from bench.queue_rows import QUICK, ROWS, Figures, Row, Size


def main() -> int:
    """Measure, print, and judge."""
    names = [row.name for row in ROWS]
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", default=",".join(names), help="of " + ", ".join(names))
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--quick", action="store_true", help="little of everything, to see that it runs")
    arguments.add_argument("--only", default="", help="contestants (modules of bench.peers), without bars")
    arguments.add_argument(
        "--fsync",
        default="",
        choices=["", "everysec", "always"],
        help='keep an append-only file; the product\'s is "always" (default: none)',
    )
    arguments.add_argument("--json", action="store_true", help="every round's figures, as JSON")
    options = arguments.parse_args()
    unknown = set(options.rows.split(",")) - set(names)
    if unknown:
        arguments.error(f"no row {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    rows = [_limited(row, options.only) for row in ROWS if row.name in options.rows.split(",")]
    size = QUICK if options.quick else Size()
    with tempfile.TemporaryDirectory() as directory:
        field = Field(Path(directory), peer_python=peer_python(), fsync=options.fsync)
        try:
            rounds = _measure(field, rows, size, 1 if options.quick else options.rounds)
        finally:
            field.close()
    if options.json:
        print(msgspec.json.encode(rounds).decode())
    else:
        _print_figures(rows, rounds)
    missed = 0 if options.only else _judge(rows, rounds, quiet=options.json)
    return 1 if missed else 0


def _limited(row: Row, only: str) -> Row:
    if not only:
        return row
    modules = only.split(",")
    return msgspec.structs.replace(row, contestants=[each for each in row.contestants if each.module in modules])


def _measure(field: Field, rows: Sequence[Row], size: Size, count: int) -> dict[str, list[Round]]:
    """Row → its rounds."""
    rounds: dict[str, list[Round]] = {row.name: [] for row in rows}
    for number in range(count):
        for row in rows:
            if row.rounds is not None and number >= row.rounds:
                continue
            figures: dict[str, Figures] = {}
            # each goes first at times: who follows finds a warmer machine, or another neighbor
            shift = number % max(1, len(row.contestants))
            for contestant in [*row.contestants[shift:], *row.contestants[:shift]]:
                _say(f"{number + 1}/{count} {row.title}: {contestant.name}")
                figures[contestant.name] = row.turn(field, contestant, size)
            rounds[row.name].append(figures)
    _say("")
    return rounds


def _say(what: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{what}", end="", file=sys.stderr, flush=True)


def _print_figures(rows: Sequence[Row], rounds: dict[str, list[Round]]) -> None:
    for row in rows:
        shown = row.shown or list(dict.fromkeys(name for each in rounds[row.name][0].values() for name in each))
        print(f"\n{row.title}; medians of {len(rounds[row.name])}")
        wide = max(12, *(len(name) + 2 for name in shown)) if len(shown) < 6 else 0
        if wide:
            print(f"  {'':16}" + "".join(f"{name:>{wide}}" for name in shown))
        for contestant in row.contestants:
            medians = [statistics.median(each[contestant.name][name] for each in rounds[row.name]) for name in shown]
            if wide:
                print(f"  {contestant.name:16}" + "".join(f"{_number(median):>{wide}}" for median in medians))
            else:
                for name, median in zip(shown, medians, strict=True):
                    print(f"  {contestant.name:16}{name:26}{_number(median):>12}")


def _judge(rows: Sequence[Row], rounds: dict[str, list[Round]], *, quiet: bool) -> int:
    missed = 0
    names = [row.name for row in rows]
    if not quiet:
        print(f"\n{'':52}{'ours':>9}{'bar':>8}{'reach':>8}")
    for bar in BARS:
        if bar.row not in names:
            continue
        value = bar.over(rounds[bar.row])
        holds, reached = bar.holds(value, bar.bar), bar.holds(value, bar.reach)
        missed += not holds
        if not quiet:
            verdict = "MISSED" if not holds else "reached" if reached else "" if bar.bar is None else "holds"
            limits = "".join(
                f"{_number(limit):>8}" if limit is not None else f"{'':8}" for limit in (bar.bar, bar.reach)
            )
            print(f"{f'{bar.row}: {bar.text}':52}{_number(value):>9}{limits}  {verdict}")
    return missed


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 100 else f"{value:.2f}"


if __name__ == "__main__":
    sys.exit(main())
