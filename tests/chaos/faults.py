"""What goes wrong: does the faults of a schedule to a stack, and writes down what was done and when."""

import asyncio
import contextlib
import os
import random
import time
from collections import Counter
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM

import msgspec

from tests.chaos.part import Life, Part
from tests.chaos.runs import running_now
from tests.chaos.schedule import Planned, Target
from tests.chaos.stack import Stack
from tests.chaos.troubles import REDIS, Troubles
from zypher_jobs.testing import wait_until

FREE_S = 10
"""How long a fault waits for something that it can be done to."""
LONGEST_S = 60


class NothingToDoItTo(Exception):
    """Each part that it could be done to is down, or has another fault of the kind."""


class WorkerKill(msgspec.Struct, frozen=True):
    """One SIGKILL of a worker."""

    life: Life
    at_s: float


class Faults:
    """What lasts goes on while the next begins."""

    def __init__(self, stack: Stack, *, lease_s: float) -> None:
        self.done: Counter[str] = Counter()
        """What was really done."""
        self.left_out: Counter[str] = Counter()
        """What there was nothing to do to."""
        self.failures: list[str] = []
        """What raised while it was done."""
        self.troubles = Troubles()
        self.worker_kills: list[WorkerKill] = []
        self.redis_kills: list[float] = []
        self.redis_back: list[float] = []
        self._stack = stack
        self._lease_s = lease_s
        self._busy: set[tuple[str, Target]] = set()
        self._actions = {
            "worker SIGKILL": self._kill_worker,
            "worker SIGSTOP, SIGCONT": self._freeze_worker,
            "lease keeper SIGKILL": self._kill_keeper,
            "worker SIGTERM": self._drain,
            "worker cut off from Redis for a while": self._cut_off,
            "connections cut": self._cut,
            "replies swallowed, connections cut": self._swallow,
            "connections delayed": self._delay,
            "Redis SIGKILL": self._kill_redis,
            "Redis SIGSTOP, SIGCONT": self._freeze_redis,
            "Redis CLIENT KILL of all": self._kill_clients,
            "Redis SCRIPT FLUSH": self._flush_scripts,
            "API SIGKILL": self._kill_api,
            "API SIGTERM": self._drain,
        }

    async def run(self, planned: list[Planned]) -> None:
        """Do them all; return when all is whole again, but for parts that still start."""
        began_s = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for one in planned:
                await asyncio.sleep(max(0, began_s + one.at_s - time.monotonic()))
                group.create_task(self._do(one))

    async def kill_workers(self, times: int, *, gap_s: float, seed: int) -> None:
        """Nothing but SIGKILL of one worker after the other, each while it runs a few and the others serve."""
        draws = random.Random(f"{seed} kills")
        for _ in range(times):
            await asyncio.sleep(gap_s + draws.random())
            worker = draws.choice(self._stack.workers)
            if missing := await self._stack.missing(timeout_s=LONGEST_S):
                self.failures.append(f"not ready for the next kill: {missing}")
                return
            with contextlib.suppress(TimeoutError):  # killed all the same, and counted as one without a victim
                await wait_until(lambda pid=worker.pid: running_now(self._stack.runs_file, pid) > 1, timeout_s=5)
            await self._kill_worker(worker, draws)
            self.done["worker SIGKILL"] += 1

    async def _do(self, planned: Planned) -> None:
        kind, part = planned.kind, None
        draws = random.Random(planned.seed)
        try:
            async with asyncio.timeout(LONGEST_S):
                part = await self._take(kind.target, draws)
                await self._actions[kind.name](part, draws)
        except NothingToDoItTo:
            self.left_out[kind.name] += 1
        except Exception as error:  # noqa: BLE001  # whatever it is, the ledger says it and the run goes on
            self.failures.append(f"{kind.name} of {part.name if part else REDIS}: {type(error).__name__}: {error}")
            await self._mend(part)
        else:
            self.done[kind.name] += 1
        finally:
            self._busy.discard((part.name if part else REDIS, _claimed(kind.target)))

    async def _take(self, target: Target, draws: random.Random) -> Part | None:
        """What it is done to, from now on its own: the first that is free, in an order that is drawn."""
        among: list[Part | None] = [None]
        if target != "redis":
            stack = self._stack
            parts = {"api": stack.apis, "any line": stack.parts}.get(target, stack.workers)
            among = [*draws.sample(parts, len(parts))]
        deadline = time.monotonic() + FREE_S
        while time.monotonic() < deadline:
            for part in among:
                place = (part.name if part else REDIS, _claimed(target))
                if place not in self._busy and (part is None or part.is_running):
                    self._busy.add(place)
                    return part
            await asyncio.sleep(0.02)
        raise NothingToDoItTo

    async def _mend(self, part: Part | None) -> None:
        """Undo whatever was half done."""
        redis = self._stack.redis
        if part is not None:
            part.proxy.mend()
            part.send(SIGCONT)
            if part.is_running and part.lives[-1].told is not None:
                await part.end(SIGKILL)
        elif redis.poll() is None:
            os.kill(redis.pid, SIGCONT)
        else:
            await self._stack.start_redis()

    async def _kill_worker(self, worker: Part | None, draws: random.Random) -> None:
        assert worker is not None
        at_s = time.monotonic()
        self.worker_kills.append(WorkerKill(await worker.end(SIGKILL), at_s))

    async def _freeze_worker(self, worker: Part | None, draws: random.Random) -> None:
        assert worker is not None
        with self.troubles.during("frozen", worker.name):
            if worker.send(SIGSTOP) is None:
                raise NothingToDoItTo
            try:
                await asyncio.sleep(draws.uniform(0.2, 2 * self._lease_s))
            finally:
                worker.send(SIGCONT)

    async def _kill_keeper(self, worker: Part | None, draws: random.Random) -> None:
        assert worker is not None
        # it may still start
        keepers = await wait_until(lambda: worker.children() if worker.is_running else (), timeout_s=FREE_S)
        with self.troubles.during("without its keeper", worker.name):
            for pid in keepers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, SIGKILL)
            # until it has a new one, which must start
            await wait_until(lambda: set(worker.children()) - set(keepers) or not worker.is_running)
            await asyncio.sleep(1)

    async def _drain(self, part: Part | None, draws: random.Random) -> None:
        assert part is not None
        await part.end(SIGTERM)

    async def _kill_api(self, api: Part | None, draws: random.Random) -> None:
        assert api is not None
        served = api.children()
        await api.end(SIGKILL)
        for pid in served:  # at once, not as they would end by themselves without their supervisor
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, SIGKILL)

    async def _cut_off(self, worker: Part | None, draws: random.Random) -> None:
        assert worker is not None
        with self.troubles.during("cut off", worker.name):
            worker.proxy.hold()
            await asyncio.sleep(draws.uniform(0.2, 2 * self._lease_s))
            worker.proxy.cut()
            worker.proxy.release()

    async def _cut(self, part: Part | None, draws: random.Random) -> None:
        assert part is not None
        with self.troubles.during("connections cut", part.name):
            part.proxy.cut()

    async def _swallow(self, part: Part | None, draws: random.Random) -> None:
        assert part is not None
        with self.troubles.during("replies swallowed", part.name):
            part.proxy.swallows_replies = True
            await asyncio.sleep(draws.uniform(0.01, 0.1))
            part.proxy.cut()
            part.proxy.swallows_replies = False

    async def _delay(self, part: Part | None, draws: random.Random) -> None:
        assert part is not None
        with self.troubles.during("connections delayed", part.name):
            part.proxy.delay_s = draws.uniform(0.005, 0.2)
            await asyncio.sleep(draws.uniform(0.5, 3))
            part.proxy.delay_s = 0

    async def _kill_redis(self, _: Part | None, draws: random.Random) -> None:
        if (code := self._stack.redis.poll()) is not None:
            raise RuntimeError(f"it had ended by itself with code {code}")
        with self.troubles.during("killed", REDIS):
            self.redis_kills.append(time.monotonic())
            self._stack.redis.kill()
            await asyncio.sleep(draws.uniform(0, 1.5))
            await self._stack.start_redis()
            self.redis_back.append(time.monotonic())

    async def _freeze_redis(self, _: Part | None, draws: random.Random) -> None:
        with self.troubles.during("frozen", REDIS):
            os.kill(self._stack.redis.pid, SIGSTOP)
            try:
                await asyncio.sleep(draws.uniform(0.2, 3))
            finally:
                os.kill(self._stack.redis.pid, SIGCONT)

    async def _kill_clients(self, _: Part | None, draws: random.Random) -> None:
        with self.troubles.during("all clients killed", REDIS):
            for kind in ("normal", "pubsub"):
                await self._stack.client.client_kill_filter(_type=kind, skipme=True)

    async def _flush_scripts(self, _: Part | None, draws: random.Random) -> None:
        with self.troubles.during("scripts flushed", REDIS):
            await self._stack.client.script_flush()


def _claimed(target: Target) -> Target:
    """A line is one place, whoever it leads to."""
    return "any line" if target == "worker's line" else target
