"""The ground on which the contestants of ``just bench queue`` meet: one server, one way to load it, one clock."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import redis

from bench.peer_environment import TOP
from bench.peers.meter import SIZE, Meter
from zypher_jobs.contracts.prediction import Priority
from zypher_jobs.queue.embedded import EmbeddedServer
from zypher_jobs.queue.keys import QUEUES

START_TIMEOUT_S = 60
CALL_TIMEOUT_S = 300
_CHUNK = 1_000


class Contestant(msgspec.Struct, frozen=True):
    """Who takes part: a module of ``bench.peers``, and its settings."""

    name: str
    module: str
    environment: dict[str, str] = {}
    is_ours: bool = False


OURS = Contestant("Zypher", "zypher", is_ours=True)
BARE = Contestant("bare loop", "bare")
ARQ = Contestant("arq", "arq_peer")
ARQ_10_MS = Contestant("arq, 10 ms", "arq_peer", {"BENCH_ARQ_POLL_S": "0.01"})
SAQ = Contestant("SAQ", "saq_peer")
STREAQ = Contestant("streaQ", "streaq_peer")
TASKIQ = Contestant("taskiq-redis", "taskiq_peer")
ALL = (OURS, BARE, ARQ, ARQ_10_MS, SAQ, STREAQ, TASKIQ)


class Drained(msgspec.Struct, frozen=True):
    """One turn of one contestant's worker on a full queue."""

    per_second: float
    worker_us: float
    """Processor time of the worker processes, for each."""
    server_us: float


class Field:
    """A private server over a unix socket, flushed between turns, and the meter."""

    def __init__(self, directory: Path, *, peer_python: Path, fsync: str = "") -> None:
        """``fsync``: ``always`` or ``everysec`` keeps an append-only file; empty: none, as Redis comes."""
        self._peer_python = peer_python
        self._server = EmbeddedServer(directory / "server", appendonly=bool(fsync))
        self._server.start()
        self.redis: Any = redis.Redis(unix_socket_path=str(self._server.socket_path))
        if fsync:
            self.redis.config_set("appendfsync", fsync)
        self._meter_path = directory / "meter"
        self._meter_path.write_bytes(bytes(SIZE))
        self.meter = Meter(self._meter_path)
        self._log = directory / "log"
        self._preloaded: dict[str, list[tuple[bytes, int, bytes]]] = {}

    def close(self) -> None:
        """End the server."""
        self.redis.close()
        self._server.stop()

    def clear(self) -> None:
        """Nobody's keys, no calls."""
        self.redis.flushall()
        self.meter.clear()

    def load(self, contestant: Contestant, total: int) -> None:
        """``total`` waiting, and nothing else. Submitted once, through its own client; later turns get a copy."""
        self.clear()
        key = f"{contestant.module} {total}"
        if key not in self._preloaded:
            self.call(contestant, "submit", total=total)
            self._preloaded[key] = self._copy()
            return
        copy = self._preloaded[key]
        for start in range(0, len(copy), _CHUNK):
            with self.redis.pipeline(transaction=False) as pipe:
                for name, ttl_ms, value in copy[start : start + _CHUNK]:
                    pipe.restore(name, max(0, ttl_ms), value)
                pipe.execute()

    def call(self, contestant: Contestant, role: str, **options: float) -> dict[str, Any]:
        """What a caller process found."""
        flags = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))]
        with self._log.open("ab") as log:
            done = subprocess.run(
                [*self._command(contestant, role), *flags],
                stdout=subprocess.PIPE,
                stderr=log,
                env=self._environment(contestant),
                cwd=TOP,
                timeout=CALL_TIMEOUT_S,
                check=False,
            )
        if done.returncode:
            raise RuntimeError(f"{contestant.name}, {role}: {self._log.read_text()[-2000:]}")
        return json.loads(done.stdout)

    @contextmanager
    def workers(
        self, contestant: Contestant, *, at_once: int = 100, processes: int = 1, sleep_ms: float = 0
    ) -> Generator[list[int]]:
        """Worker processes, killed at the end; their process ids."""
        with ExitStack() as stack:
            log = stack.enter_context(self._log.open("ab"))
            pids: list[int] = []
            for slot in range(processes):
                process = subprocess.Popen(
                    [*self._command(contestant, "worker"), "--at-once", str(at_once)],
                    stderr=log,
                    env=self._environment(contestant, slot=slot, sleep_ms=sleep_ms),
                    cwd=TOP,
                )
                stack.callback(process.wait)
                stack.callback(process.kill)
                pids.append(process.pid)
            self._until(lambda: self.meter.ready() >= processes, START_TIMEOUT_S)
            self.meter.open_gate()
            yield pids

    def drain(
        self,
        contestant: Contestant,
        total: int,
        *,
        at_once: int = 100,
        processes: int = 1,
        sleep_ms: float = 0,
        warm: int = 0,
        seconds: float = 3,
    ) -> Drained:
        """The rate at which a worker begins what waits.

        The clock starts when ``warm`` (a tenth of all) have begun, or a second after the first for whom that takes
        longer; it stops when all have, or after ``seconds``.
        """
        warm = warm or total // 10
        with self.workers(contestant, at_once=at_once, processes=processes, sleep_ms=sleep_ms) as pids:
            self._until(lambda: self.meter.begun() > 0, START_TIMEOUT_S)
            self._until(lambda: self.meter.begun() >= warm, 1)
            begun, cpu_us, server_us = self.meter.begun(), sum(map(cpu_us_of, pids)), cpu_us_of(self._server.pid)
            started = time.perf_counter()
            self._until(lambda: self.meter.begun() >= total, seconds)
            took_s, count = time.perf_counter() - started, self.meter.begun() - begun
            if count <= 0:
                raise RuntimeError(f"{contestant.name} began nothing within {seconds:g} s: raise --total")
            return Drained(
                count / took_s,
                (sum(map(cpu_us_of, pids)) - cpu_us) / count,
                (cpu_us_of(self._server.pid) - server_us) / count,
            )

    def waiting_here(self) -> int:
        """How many of ours wait."""
        return int(self.redis.zcard(QUEUES[Priority.NORMAL]))

    @staticmethod
    def _until(condition: Callable[[], bool], seconds: float) -> None:
        deadline = time.perf_counter() + seconds
        while not condition() and time.perf_counter() < deadline:
            time.sleep(0.003)

    def _copy(self) -> list[tuple[bytes, int, bytes]]:
        names: Sequence[bytes] = list(self.redis.scan_iter(count=_CHUNK))
        copy: list[tuple[bytes, int, bytes]] = []
        for start in range(0, len(names), _CHUNK):
            chunk = names[start : start + _CHUNK]
            with self.redis.pipeline(transaction=False) as pipe:
                for name in chunk:
                    pipe.pttl(name)
                    pipe.dump(name)
                answers = pipe.execute()
            copy += zip(chunk, answers[::2], answers[1::2], strict=True)
        return copy

    def _command(self, contestant: Contestant, role: str) -> list[str]:
        python = sys.executable if contestant.is_ours else str(self._peer_python)
        return [python, "-m", "bench.peers", contestant.module, role, "--url", self._server.url]

    def _environment(self, contestant: Contestant, *, slot: int = 0, sleep_ms: float = 0) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ZYPHER_")}
        return {
            **inherited,
            "PYTHONPATH": str(TOP),
            "BENCH_METER": str(self._meter_path),
            "BENCH_SLOT": str(slot),
            "BENCH_SLEEP_S": str(sleep_ms / 1000),
            "ZYPHER_REDIS_URL": self._server.url,
            "ZYPHER_MOCK_LATENCY_MS": f"{sleep_ms:g}",
            "ZYPHER_QUEUE_LIMIT": "0",
            "ZYPHER_LOG_LEVEL": "warning",
            **contestant.environment,
        }


def cpu_us_of(pid: int) -> float:
    """Processor time of a process and its children, all their threads."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if pid in (int(stat.parent.name), int(fields[1])):
                total += int(fields[11]) + int(fields[12])
    return total * 1e6 / os.sysconf("SC_CLK_TCK")
