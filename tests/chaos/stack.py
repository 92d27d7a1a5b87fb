"""Redis, API processes and workers as real processes, each process behind a proxy of its own to Redis."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Literal

import httpx
from redis.asyncio import Redis
from redis.exceptions import RedisError

from tests.chaos.model import RUNS_FILE
from tests.chaos.proxy import Proxy
from zypher_jobs.queue import keys
from zypher_jobs.queue.embedded import EmbeddedServer
from zypher_jobs.testing import free_port, wait_until

ROOT = Path(__file__).parents[2]
START_TIMEOUT_S = 60


class Part:
    """One process of ours, ``zypher api`` or ``zypher worker``; started again under the same name when it was ended."""

    def __init__(self, name: str, command: str, proxy: Proxy, directory: Path, settings: dict[str, Any]) -> None:
        self.name = name
        self.proxy = proxy
        self.log = directory / f"{name}.log"
        self.port = int(settings.get("port", 0))
        self._command = [sys.executable, "-m", "zypher_jobs.cli", command]
        self._directory = directory
        environ = {name: value for name, value in os.environ.items() if not name.startswith("ZYPHER_")}
        ours = settings | {"redis_url": proxy.url, "models": "tests.chaos.model:ChaosModel", "data_dir": directory}
        environ |= {f"ZYPHER_{name.upper()}": str(value) for name, value in ours.items()}
        self._environ = environ | {"PYTHONPATH": str(ROOT), RUNS_FILE: str(directory / "runs")}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the process that runs now."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; its log goes on."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environ,
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self.is_running:
            os.kill(self.pid, number)

    async def ended(self, *, timeout_s: float = 30) -> None:
        """Wait until it has ended."""
        await wait_until(lambda: not self.is_running, timeout_s=timeout_s)

    async def kill(self) -> None:
        """SIGKILL, and wait for it."""
        self.send(signal.SIGKILL)
        await self.ended()

    def children(self) -> list[int]:
        """Its child processes: of a worker, the keeper of its leases."""
        with contextlib.suppress(OSError):
            listed = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="ascii")
            return [int(pid) for pid in listed.split()]
        return []


class Stack:
    """All of it in one directory."""

    def __init__(
        self,
        directory: Path,
        *,
        workers: int,
        apis: int,
        lease_s: float,
        appendfsync: Literal["always", "everysec"] = "always",
        **settings: Any,
    ) -> None:
        self.directory = directory
        self.runs_file = directory / "runs"
        self.runs_file.touch()
        self.redis = EmbeddedServer(directory / "valkey", appendfsync=appendfsync)
        self.client: Any = Redis(unix_socket_path=str(self.redis.socket_path))
        """A connection of the test's own, past every proxy."""
        common = {"lease_s": lease_s, "grace_s": 5} | settings
        self.workers = [self._part(f"worker{n}", "worker", common) for n in range(workers)]
        self.apis = [self._part(f"api{n}", "api", common | {"port": free_port()}) for n in range(apis)]

    @property
    def parts(self) -> list[Part]:
        """Every process but Redis."""
        return [*self.workers, *self.apis]

    async def start(self) -> None:
        """Start all of it and wait until it serves."""
        self.redis.start()
        for part in self.parts:
            await part.proxy.start()
            part.start()
        await self.wait_ready()

    async def start_redis(self) -> None:
        """Start Redis again on the same data; return once it answers."""
        self.redis.launch()
        await wait_until(self.redis.answers, timeout_s=START_TIMEOUT_S)

    async def wait_ready(self) -> None:
        """Wait until every API process and every worker serves; one that has ended on its own is started again."""
        deadline = time.monotonic() + START_TIMEOUT_S
        async with httpx.AsyncClient(timeout=5) as client:
            while not (await self._apis_ready(client) and await self._workers_ready()):
                assert time.monotonic() < deadline, f"not ready: see the logs in {self.directory}"
                for part in self.parts:
                    if not part.is_running:
                        part.start()
                await asyncio.sleep(0.1)

    async def stop(self) -> None:
        """End everything at once."""
        for part in self.parts:
            part.send(signal.SIGKILL)
        for part in self.parts:
            await part.ended()
            await part.proxy.close()
        await self.client.aclose()
        if self.redis.poll() is None:
            self.redis.kill()

    def _part(self, name: str, command: str, settings: dict[str, Any]) -> Part:
        proxy = Proxy(self.directory / f"{name}.sock", self.redis.socket_path)
        return Part(name, command, proxy, self.directory, settings)

    async def _apis_ready(self, client: httpx.AsyncClient) -> bool:
        for api in self.apis:
            try:
                if (await client.get(f"http://127.0.0.1:{api.port}/health/ready")).status_code != 200:
                    return False
            except httpx.HTTPError:
                return False
        return True

    async def _workers_ready(self) -> bool:
        try:
            alive: list[bytes] = await self.client.zrange(keys.WORKERS, 0, -1)
        except (RedisError, OSError):
            return False
        pids = {int(worker_id.split(b"-")[-2]) for worker_id in alive}  # host-pid-random
        return all(worker.is_running and worker.pid in pids for worker in self.workers)
