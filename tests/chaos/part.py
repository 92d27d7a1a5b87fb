"""One process of ours, kept running as by a supervisor; each time that it lived is written down."""

import asyncio
import contextlib
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from tests.chaos.model import RUNS_FILE
from tests.chaos.proxy import Proxy
from zypher_jobs.testing import wait_until

ROOT = Path(__file__).parents[2]
FIRST_DELAY_S, LONGEST_DELAY_S, STABLE_AFTER_S = 0.5, 4.0, 10.0
"""Between an end and the next start, as the product's own supervisor does it, but not as patiently."""
LOOK_S = 0.02


class Life(msgspec.Struct):
    """One process, from its start to its end; times are on the monotonic clock."""

    part: str
    command: str
    pid: int
    log: Path
    started_s: float
    ended_s: float | None = None
    code: int | None = None
    told: signal.Signals | None = None
    """The last signal of the test that ends a process."""

    def lasted(self, at_s: float) -> bool:
        """Whether it lived at an instant."""
        return self.started_s <= at_s and (self.ended_s is None or at_s < self.ended_s)


class Part:
    """``zypher api`` or ``zypher worker``; ``keep_running`` starts it, and again under the same name when it ended."""

    def __init__(self, name: str, command: str, proxy: Proxy, directory: Path, settings: dict[str, Any]) -> None:
        self.name = name
        self.proxy = proxy
        self.port = int(settings.get("port", 0))
        self.lives: list[Life] = []
        self._command = command
        self._directory = directory
        environ = {name: value for name, value in os.environ.items() if not name.startswith("ZYPHER_")}
        ours = settings | {"redis_url": proxy.url, "models": "tests.chaos.model:ChaosModel", "data_dir": directory}
        environ |= {f"ZYPHER_{name.upper()}": str(value) for name, value in ours.items()}
        self._environ = environ | {"PYTHONPATH": str(ROOT), RUNS_FILE: str(directory / "runs")}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the process that runs now."""
        return self.lives[-1].pid

    @property
    def is_running(self) -> bool:
        """Whether it has started and not ended."""
        if self._process is None:
            return False
        life = self.lives[-1]
        if life.ended_s is None and (code := self._process.poll()) is not None:
            life.ended_s, life.code = time.monotonic(), code
        return life.ended_s is None

    async def keep_running(self) -> None:
        """Until canceled; the process lives on then."""
        delay_s = FIRST_DELAY_S
        while True:
            self._start()
            await wait_until(lambda: not self.is_running, timeout_s=math.inf, every_s=LOOK_S)
            life = self.lives[-1]
            if life.told is not None or time.monotonic() - life.started_s > STABLE_AFTER_S:
                delay_s = FIRST_DELAY_S
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, LONGEST_DELAY_S)

    def send(self, number: signal.Signals) -> Life | None:
        """Send it a signal; which process got it, if it runs."""
        if not self.is_running:
            return None
        life = self.lives[-1]
        if number in (signal.SIGKILL, signal.SIGTERM):
            life.told = number
        os.kill(life.pid, number)
        return life

    async def end(self, number: signal.Signals, *, timeout_s: float = 30) -> Life:
        """Send a signal that ends it, and wait for that; raises ``TimeoutError``, or ``RuntimeError`` if none runs."""
        life = self.send(number)
        if life is None:
            raise RuntimeError(f"{self.name} did not run")
        await wait_until(lambda: self.lives[-1] is not life or not self.is_running, timeout_s=timeout_s)
        return life

    def children(self) -> list[int]:
        """Its child processes, whichever of its threads started them: of a worker, the keeper of its leases."""
        found: list[int] = []
        for thread in Path(f"/proc/{self.pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += map(int, thread.read_text(encoding="ascii").split())
        return found

    def _start(self) -> None:
        log = self._directory / f"{self.name}.{len(self.lives)}.log"
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "zypher_jobs.cli", self._command],
                env=self._environ,
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
        self.lives.append(Life(self.name, self._command, self._process.pid, log, time.monotonic()))
