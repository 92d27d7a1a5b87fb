"""``python -m tests.chaos.run --minutes 10 --seed 1``: load through the API while everything is killed; a ledger."""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Literal

import msgspec

from tests.chaos.faults import Faults
from tests.chaos.ledger import Follower, Ledger, settle, take_stock
from tests.chaos.load import Load
from tests.chaos.stack import Stack

SETTLE_S = 60


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    seconds: float
    seed: int
    appendfsync: Literal["always", "everysec"] = "always"
    kills: int = 0
    """So many SIGKILLs of workers and nothing else, instead of every kind of fault for ``seconds``."""
    workers: int = 3
    apis: int = 2
    lease_s: float = 2.0
    per_s: float = 40
    longest_ms: float = 400
    fault_gap_s: float = 2.0


async def run_chaos(plan: Plan, directory: Path) -> Ledger:
    """Do it; what the processes leave is in ``directory``."""
    stack = Stack(directory, workers=plan.workers, apis=plan.apis, lease_s=plan.lease_s, appendfsync=plan.appendfsync)
    try:
        await stack.start()
        load = Load(stack, per_s=plan.per_s, callers=8, longest_ms=plan.longest_ms, seed=plan.seed)
        faults = Faults(stack, seed=plan.seed, gap_s=plan.fault_gap_s, lease_s=plan.lease_s)
        follower = Follower(stack)
        following = asyncio.create_task(follower.run())
        began_s = time.monotonic()
        async with asyncio.TaskGroup() as group:
            if plan.kills:
                # far enough apart for a prediction to meet one of them only: two bury it as poison
                gap_s = plan.lease_s + 2 + plan.longest_ms / 1000
                group.create_task(faults.kill_workers(plan.kills, gap_s=gap_s))
                group.create_task(load.run(began_s + plan.kills * gap_s))
            else:
                group.create_task(faults.run(began_s + plan.seconds))
                group.create_task(load.run(began_s + plan.seconds))
        seconds = time.monotonic() - began_s
        await stack.wait_ready()
        left = await settle(stack, timeout_s=SETTLE_S)
        following.cancel()
        await asyncio.wait([following])
        return await take_stock(stack, load, faults, follower, seed=plan.seed, seconds=seconds, left=left)
    finally:
        await stack.stop()


def main() -> int:
    """Read the command line, run, print the ledger; 1 when something is wrong in it."""
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=None, help="by default a new one, which is printed")
    parser.add_argument("--appendfsync", choices=("always", "everysec"), default="always")
    parser.add_argument("--kills", type=int, default=0, help="only SIGKILLs of workers, so many")
    parser.add_argument("--lease-s", type=float, default=2.0)
    parser.add_argument("--keep", type=Path, help="keep logs and data in this new directory")
    arguments = parser.parse_args()
    plan = Plan(
        seconds=arguments.minutes * 60,
        seed=random.randrange(1_000_000) if arguments.seed is None else arguments.seed,
        appendfsync=arguments.appendfsync,
        kills=arguments.kills,
        lease_s=arguments.lease_s,
        longest_ms=1500 if arguments.kills else 400,
    )
    if arguments.keep is not None:
        arguments.keep.mkdir(parents=True)
        ledger = asyncio.run(run_chaos(plan, arguments.keep))
    else:
        with tempfile.TemporaryDirectory(prefix="chaos-") as directory:
            ledger = asyncio.run(run_chaos(plan, Path(directory)))
    print("\n".join(ledger.lines()))
    problems = ledger.problems(every_write_is_synced=plan.appendfsync == "always")
    for problem in problems:
        print(f"WRONG: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
