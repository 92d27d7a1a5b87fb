"""Redis behind Sentinel: the primary is killed, the replica takes over, and nobody is told but the log."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from tests.queue.outages import all_succeed, is_seen, settings_for, submit_steadily, working
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.queue import PredictionQueue
from zypher_jobs.queue.connection import connect
from zypher_jobs.queue.embedded import EmbeddedServer, find_server_binary
from zypher_jobs.testing import free_port, wait_until

SERVICE = "main"


class Cluster:
    """A primary, a replica of it, and a sentinel that watches both."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.ports = [free_port(), free_port()]
        self.sentinel_port = free_port()
        replica_of = ("--replicaof", f"127.0.0.1 {self.ports[0]}", "--repl-diskless-sync-delay", "0")
        self.servers = [
            EmbeddedServer(directory / str(port), arguments=("--bind", "127.0.0.1", "--port", str(port), *more))
            for port, more in zip(self.ports, [(), replica_of], strict=True)
        ]

    @property
    def url(self) -> str:
        """With a sentinel that nobody started beside the one that answers."""
        return f"redis+sentinel://127.0.0.1:{free_port()},127.0.0.1:{self.sentinel_port}/{SERVICE}/2"

    def start(self, stack: ExitStack) -> None:
        """Start all of it."""
        for server in self.servers:
            server.start()
            stack.callback(server.kill)
        config = self._directory / "sentinel.conf"
        config.write_text(
            f"port {self.sentinel_port}\nbind 127.0.0.1\ndir {self._directory}\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {self.ports[0]} 1\n"
            f"sentinel down-after-milliseconds {SERVICE} 400\nsentinel failover-timeout {SERVICE} 2000\n"
        )
        sentinel = subprocess.Popen(
            [str(find_server_binary()), str(config), "--sentinel", "--logfile", str(self._directory / "sentinel.log")]
        )
        stack.callback(sentinel.wait)
        stack.callback(sentinel.send_signal, signal.SIGKILL)

    async def knows_replica(self) -> bool:
        """Whether the sentinel could fail over: it knows a replica that follows."""
        client: Any = Redis(port=self.sentinel_port)
        try:
            async with client as sentinel:
                replicas: list[dict[str, Any]] = await sentinel.sentinel_slaves(SERVICE)
        except RedisError:
            return False
        return bool(replicas) and replicas[0].get("master-link-status") == "ok"


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncGenerator[Cluster]:
    """A cluster that could fail over now."""
    with ExitStack() as stack:
        made = Cluster(tmp_path)
        made.start(stack)
        await wait_until(made.knows_replica, timeout_s=20, every_s=0.1)
        yield made


async def test_a_failover_loses_nothing_that_was_replicated(cluster: Cluster, tmp_path: Path) -> None:
    """The primary is killed with predictions waiting and running: client, worker and keeper find the new one."""
    async with working(settings_for(cluster.url, tmp_path, latency_ms=300)) as (queue, worker):
        client: Any = queue
        assert client.connection_pool.connection_kwargs["db"] == 2
        ids = await submit_steadily(queue, 150)
        assert await client.wait(1, 2000) == 1
        cluster.servers[0].kill()
        ids += await submit_steadily(queue, 20)
        await all_succeed(queue, ids, timeout_s=20)
        await wait_until(lambda: is_seen(queue, worker), timeout_s=20)


async def test_a_stock_arq_worker_finds_its_redis(cluster: Cluster, tmp_path: Path) -> None:
    """The ``arq`` command asks the same sentinels, for the same database."""
    queue = PredictionQueue.from_settings(settings_for(cluster.url, tmp_path))
    submitted = await queue.submit("mock", {"input": "hello"})
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "arq", "zypher_jobs.worker.main.WorkerSettings"),
        env={"ZYPHER_REDIS_URL": cluster.url, "ZYPHER_MOCK_LATENCY_MS": "0", "PATH": "/usr/bin:/bin"},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        ended = await queue.wait_for(submitted.prediction_id, 20)
        assert ended.status is Status.SUCCEEDED
        assert (ended.worker or "").endswith(f"-{worker.pid}-arq")
    finally:
        worker.terminate()
        await worker.communicate()
        await queue.aclose()


async def test_a_url_without_a_service_is_refused(tmp_path: Path) -> None:
    """It could not be found."""
    with pytest.raises(ValueError, match="no service"):
        connect("redis+sentinel://127.0.0.1:1", timeout_s=1)
