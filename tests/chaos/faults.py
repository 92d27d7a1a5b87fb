"""What goes wrong: a schedule of faults from a seed."""

import asyncio
import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable

from tests.chaos.stack import Part, Stack


class Faults:
    """Does one thing after the other to a stack; what lasts goes on while the next begins."""

    def __init__(self, stack: Stack, *, seed: int, gap_s: float, lease_s: float) -> None:
        self.done: Counter[str] = Counter()
        self.worker_kills: list[tuple[int, float]] = []
        """Pid and instant (monotonic) of each."""
        self.redis_kills: list[float] = []
        self.redis_back: list[float] = []
        self._stack = stack
        self._random = random.Random(seed)
        self._gap_s = gap_s
        self._lease_s = lease_s
        self._lasting: set[asyncio.Task[None]] = set()
        self._redis_lock = asyncio.Lock()
        self._busy: set[str] = set()
        """Names of parts that something lasting is being done to."""
        self._kinds: list[tuple[str, int, Callable[[], Awaitable[None]]]] = [
            ("worker SIGKILL", 4, self._kill_worker),
            ("worker SIGSTOP, SIGCONT", 3, self._freeze_worker),
            ("lease keeper SIGKILL", 1, self._kill_keeper),
            ("worker SIGTERM", 1, self._drain_worker),
            ("worker cut off from Redis for a while", 3, self._cut_off),
            ("connections cut", 4, self._cut),
            ("replies swallowed, connections cut", 3, self._swallow),
            ("connections delayed", 3, self._delay),
            ("Redis SIGKILL", 2, self._kill_redis),
            ("Redis SIGSTOP, SIGCONT", 1, self._freeze_redis),
            ("Redis CLIENT KILL of all", 2, self._kill_clients),
            ("Redis SCRIPT FLUSH", 1, self._flush_scripts),
            ("API SIGKILL", 1, self._kill_api),
            ("API SIGTERM", 1, self._drain_api),
        ]

    async def run(self, until_s: float) -> None:
        """Until an instant of the monotonic clock; return when all is whole again, but for parts that still start."""
        names = [name for name, _, _ in self._kinds]
        weights = [weight for _, weight, _ in self._kinds]
        actions = {name: action for name, _, action in self._kinds}
        while True:
            await asyncio.sleep(self._random.expovariate(1 / self._gap_s))
            if time.monotonic() >= until_s:
                break
            (name,) = self._random.choices(names, weights)
            self._begin(name, actions[name])
        await asyncio.gather(*self._lasting)

    async def kill_workers(self, times: int, *, gap_s: float) -> None:
        """Nothing but SIGKILL of one worker after the other."""
        for _ in range(times):
            await asyncio.sleep(gap_s * self._random.uniform(0.8, 1.2))
            self.done["worker SIGKILL"] += 1
            await self._kill_worker()

    def _begin(self, name: str, action: Callable[[], Awaitable[None]]) -> None:
        async def do() -> None:
            self.done[name] += 1
            await action()

        task = asyncio.create_task(do())
        self._lasting.add(task)
        task.add_done_callback(self._lasting.discard)

    def _one_of(self, parts: list[Part]) -> Part | None:
        free = [part for part in parts if part.name not in self._busy]
        return self._random.choice(free) if free else None

    async def _last(self, low_s: float, high_s: float) -> None:
        await asyncio.sleep(self._random.uniform(low_s, high_s))

    async def _kill_worker(self) -> None:
        if (worker := self._one_of(self._stack.workers)) is None:
            return
        self.worker_kills.append((worker.pid, time.monotonic()))
        await worker.kill()
        worker.start()

    async def _freeze_worker(self) -> None:
        if (worker := self._one_of(self._stack.workers)) is None:
            return
        self._busy.add(worker.name)
        worker.send(signal.SIGSTOP)
        await self._last(0.2, 2 * self._lease_s)
        worker.send(signal.SIGCONT)
        self._busy.discard(worker.name)

    async def _kill_keeper(self) -> None:
        if (worker := self._one_of(self._stack.workers)) is not None:
            for pid in worker.children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    async def _drain_worker(self) -> None:
        await self._drain(self._one_of(self._stack.workers))

    async def _drain_api(self) -> None:
        await self._drain(self._one_of(self._stack.apis))

    async def _drain(self, part: Part | None) -> None:
        if part is None:
            return
        self._busy.add(part.name)
        part.send(signal.SIGTERM)
        await part.ended()
        part.start()
        self._busy.discard(part.name)

    async def _kill_api(self) -> None:
        if (api := self._one_of(self._stack.apis)) is not None:
            await api.kill()
            api.start()

    async def _cut_off(self) -> None:
        if (worker := self._one_of(self._stack.workers)) is None:
            return
        self._busy.add(worker.name)
        worker.proxy.hold()
        await self._last(0.2, 2 * self._lease_s)
        worker.proxy.cut()
        worker.proxy.release()
        self._busy.discard(worker.name)

    async def _cut(self) -> None:
        self._random.choice(self._stack.parts).proxy.cut()

    async def _swallow(self) -> None:
        proxy = self._random.choice(self._stack.parts).proxy
        proxy.swallows_replies = True
        await self._last(0.01, 0.1)
        proxy.cut()
        proxy.swallows_replies = False

    async def _delay(self) -> None:
        proxy = self._random.choice(self._stack.parts).proxy
        proxy.delay_s = self._random.uniform(0.005, 0.2)
        await self._last(0.5, 3)
        proxy.delay_s = 0

    async def _kill_redis(self) -> None:
        async with self._redis_lock:
            self.redis_kills.append(time.monotonic())
            self._stack.redis.kill()
            await self._last(0, 1.5)
            await self._stack.start_redis()
            self.redis_back.append(time.monotonic())

    async def _freeze_redis(self) -> None:
        async with self._redis_lock:
            os.kill(self._stack.redis.pid, signal.SIGSTOP)
            await self._last(0.2, 3)
            os.kill(self._stack.redis.pid, signal.SIGCONT)

    async def _kill_clients(self) -> None:
        async with self._redis_lock:
            for kind in ("normal", "pubsub"):
                await self._stack.client.client_kill_filter(_type=kind, skipme=True)

    async def _flush_scripts(self) -> None:
        async with self._redis_lock:
            await self._stack.client.script_flush()
