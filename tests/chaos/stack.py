"""Redis, API processes and workers as real processes, each process behind a proxy of its own to Redis."""

import asyncio
import time
from pathlib import Path
from signal import SIGKILL
from typing import Any, Literal

import httpx
from redis.asyncio import Redis
from redis.exceptions import RedisError

from tests.chaos.part import Life, Part
from tests.chaos.proxy import Proxy
from zypher_jobs.queue import keys
from zypher_jobs.queue.embedded import EmbeddedServer
from zypher_jobs.testing import free_port, wait_until

START_TIMEOUT_S = 60

Appendfsync = Literal["always", "everysec"]


class Stack:
    """All of it in one directory."""

    def __init__(
        self,
        directory: Path,
        *,
        workers: int,
        apis: int,
        lease_s: float,
        appendfsync: Appendfsync = "always",
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
        self._supervising: list[asyncio.Task[None]] = []

    @property
    def parts(self) -> list[Part]:
        """Every process but Redis."""
        return [*self.workers, *self.apis]

    @property
    def lives(self) -> list[Life]:
        """Every process that there was."""
        return [life for part in self.parts for life in part.lives]

    async def start(self) -> None:
        """Start all of it and wait until it serves."""
        self.redis.start()
        for part in self.parts:
            await part.proxy.start()
            self._supervising.append(asyncio.create_task(part.keep_running()))
        missing = await self.missing(timeout_s=START_TIMEOUT_S)
        assert not missing, f"{missing} not ready: see the logs in {self.directory}"

    async def start_redis(self) -> None:
        """Start Redis again on the same data; return once it answers."""
        self.redis.launch()
        await wait_until(self.redis.answers, timeout_s=START_TIMEOUT_S)

    async def missing(self, *, timeout_s: float) -> list[str]:
        """Wait until every part serves; which do not after ``timeout_s``."""
        deadline = time.monotonic() + timeout_s
        async with httpx.AsyncClient(timeout=5) as client:
            while True:
                missing = [api.name for api in self.apis if not await _is_ready(client, api)]
                missing += await self._missing_workers()
                if not missing or time.monotonic() > deadline:
                    return missing
                await asyncio.sleep(0.1)

    async def stop(self) -> None:
        """End everything at once."""
        for task in self._supervising:
            task.cancel()
        await asyncio.gather(*self._supervising, return_exceptions=True)
        for part in self.parts:
            if part.is_running:
                await part.end(SIGKILL)
            await part.proxy.close()
        await self.client.aclose()
        if self.redis.poll() is None:
            self.redis.kill()

    def _part(self, name: str, command: str, settings: dict[str, Any]) -> Part:
        proxy = Proxy(self.directory / f"{name}.sock", self.redis.socket_path)
        return Part(name, command, proxy, self.directory, settings)

    async def _missing_workers(self) -> list[str]:
        try:
            alive: list[bytes] = await self.client.zrange(keys.WORKERS, 0, -1)
        except (RedisError, OSError):
            alive = []
        pids = set(map(pid_of, alive))
        return [worker.name for worker in self.workers if not worker.is_running or worker.pid not in pids]


def pid_of(worker_id: bytes | str) -> int:
    """Workers are named for host, pid and something random."""
    text = worker_id.decode() if isinstance(worker_id, bytes) else worker_id
    return int(text.split("-")[-2])


async def _is_ready(client: httpx.AsyncClient, api: Part) -> bool:
    try:
        return (await client.get(f"http://127.0.0.1:{api.port}/health/ready")).status_code == 200
    except httpx.HTTPError:
        return False
