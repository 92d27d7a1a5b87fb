"""``python -m tests.chaos.run --minutes 10 --seed 1``: load through the API while everything is killed; ledgers."""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import cast, get_args

import msgspec

from tests.chaos.faults import Faults
from tests.chaos.follower import Follower
from tests.chaos.ledger import Ledger, take_stock
from tests.chaos.load import Load
from tests.chaos.records import settle
from tests.chaos.schedule import draw, must_have_come
from tests.chaos.stack import Appendfsync, Stack

BACK_S = 60
"""How long everything may take to be whole again after the last fault, and then to settle."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    seconds: float
    seed: int
    appendfsync: Appendfsync = "always"
    kills: int = 0
    """So many SIGKILLs of workers and nothing else, instead of every kind of fault for ``seconds``."""
    workers: int = 3
    apis: int = 2
    lease_s: float = 2.0
    per_s: float = 40
    longest_ms: float = 3000
    fault_gap_s: float = 2.0
    slack_s: float = 0.0
    """What a loaded machine may add to the bounds."""

    @property
    def kill_gap_s(self) -> float:
        """Far enough apart for a prediction to meet one kill only: two bury it as poison."""
        return self.lease_s + 1 + self.longest_ms / 1000

    @property
    def kinds(self) -> list[str]:
        """The faults that must have been done."""
        return ["worker SIGKILL"] if self.kills else must_have_come(seconds=self.seconds, gap_s=self.fault_gap_s)


async def run_chaos(plan: Plan, directory: Path) -> Ledger:
    """Do it; what the processes leave is in ``directory``."""
    stack = Stack(directory, workers=plan.workers, apis=plan.apis, lease_s=plan.lease_s, appendfsync=plan.appendfsync)
    try:
        await stack.start()
        load = Load(stack, per_s=plan.per_s, callers=8, longest_ms=plan.longest_ms, seed=plan.seed)
        faults = Faults(stack, lease_s=plan.lease_s)
        follower = Follower(stack)
        following = asyncio.create_task(follower.run())
        began_s = time.monotonic()
        await _faults_under_load(plan, faults, load)
        seconds = time.monotonic() - began_s
        missing = await stack.missing(timeout_s=BACK_S)
        left = await settle(stack, timeout_s=BACK_S)
        following.cancel()
        await asyncio.wait([following])
        what = f"{plan.kills} SIGKILLs of workers" if plan.kills else "every kind of fault"
        return await take_stock(
            stack,
            load,
            faults,
            follower,
            title=f"{what}: appendfsync {plan.appendfsync}, seed {plan.seed}, {seconds:.0f} s, "
            f"{plan.workers} workers with a lease of {plan.lease_s:g} s, {plan.apis} API processes",
            appendfsync=plan.appendfsync,
            lease_s=plan.lease_s,
            slack_s=plan.slack_s,
            kinds=plan.kinds,
            kills=plan.kills,
            left=left,
            missing=missing,
        )
    finally:
        await stack.stop()


async def _faults_under_load(plan: Plan, faults: Faults, load: Load) -> None:
    stop = asyncio.Event()

    async def do_faults() -> None:
        try:
            if plan.kills:
                await faults.kill_workers(plan.kills, gap_s=plan.kill_gap_s, seed=plan.seed)
            else:
                began_s = time.monotonic()
                await faults.run(draw(plan.seed, seconds=plan.seconds, gap_s=plan.fault_gap_s))
                await asyncio.sleep(max(0, began_s + plan.seconds - time.monotonic()))
        finally:
            stop.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(do_faults())
        group.create_task(load.run(stop))


def plans(arguments: argparse.Namespace) -> list[Plan]:
    """What the command line asks for, one run after the other."""
    settings = [cast("Appendfsync", name) for name in arguments.appendfsync.split(",")]
    seed = random.randrange(1_000_000) if arguments.seed is None else arguments.seed
    each = Plan(seconds=arguments.minutes * 60 / len(settings), seed=seed, lease_s=arguments.lease_s)
    found = [msgspec.structs.replace(each, appendfsync=name) for name in settings if arguments.minutes]
    if arguments.kills:
        # three at once on each worker, none of them long
        what = {"kills": arguments.kills, "appendfsync": settings[0], "per_s": 60, "longest_ms": 1200}
        found.append(msgspec.structs.replace(each, **what))
    return found


def main() -> int:
    """Read the command line, run, print the ledgers; 1 when something is wrong in one."""
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="of every kind of fault, shared by the settings")
    parser.add_argument("--seed", type=int, default=None, help="by default a new one, which is printed")
    parser.add_argument("--appendfsync", default="always,everysec", help="one run each")
    parser.add_argument("--kills", type=int, default=50, help="then so many SIGKILLs of workers and nothing else")
    parser.add_argument("--lease-s", type=float, default=2.0)
    parser.add_argument("--keep", type=Path, help="keep logs and data in this new directory")
    arguments = parser.parse_args()
    if unknown := set(arguments.appendfsync.split(",")) - set(get_args(Appendfsync)):
        parser.error(f"--appendfsync knows {', '.join(get_args(Appendfsync))}, not {', '.join(sorted(unknown))}")
    is_wrong = False
    for number, one in enumerate(plans(arguments)):
        with tempfile.TemporaryDirectory(prefix="chaos-") as temporary:
            directory = Path(temporary)
            if arguments.keep is not None:
                directory = arguments.keep / str(number)
                directory.mkdir(parents=True)
            ledger = asyncio.run(run_chaos(one, directory))
        print("\n".join(ledger.lines()), end="\n\n", flush=True)
        is_wrong |= bool(ledger.complaints())
    return int(is_wrong)


if __name__ == "__main__":
    sys.exit(main())
