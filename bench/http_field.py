"""The servers of ``just bench http``, all of them up, one after the other loaded."""

import os
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import cast

import msgspec
import redis

from bench.load import Measured, post
from bench.peer_environment import TOP
from bench.servers import outside, process, wait_for
from zypher_jobs.queue.embedded import EmbeddedServer
from zypher_jobs.testing import free_port

BODY = msgspec.json.encode({"input": "What a piece of work is a man, how noble in reason, how infinite in faculty"})
LATER = {"Async-Mode": "true"}
LIMIT = "1000000/s"
"""Of the key that is sent: limits are kept, and never reached."""
_KEPT = b"zypher:api-key"
"""What a server is not emptied of: the key that is sent."""
_CHUNK = 5_000
_SETTLE_S = 0.5


class Round(msgspec.Struct, frozen=True):
    """One turn of one contestant."""

    measured: Measured
    cpu_us: float | None
    """Processor time for each request, of the server with all its processes; ``None`` where the system is silent."""


class Server(msgspec.Struct, frozen=True):
    """One contestant, running."""

    name: str
    port: int
    pid: int
    path: str = "/predict"
    headers: Mapping[str, str] = {}
    status: int = 200
    valkey: EmbeddedServer | None = None
    """Emptied before each turn."""

    def turn(self, connections: int, seconds: float) -> Round:
        """Load it for so long."""
        if self.valkey is not None:
            _empty(self.valkey)
        before_s = _cpu_s(self.pid)
        measured = post(
            self.port,
            self.path,
            BODY,
            connections=connections,
            seconds=seconds,
            headers=self.headers,
            status=self.status,
        )
        time.sleep(_SETTLE_S)  # what it does behind its answers is its own cost, not the next one's
        after_s = _cpu_s(self.pid)
        cpu_us = None if before_s is None or after_s is None else (after_s - before_s) * 1e6 / measured.requests
        return Round(measured, cpu_us)


class Field:
    """Starts servers."""

    def __init__(self, directory: Path, *, peer_python: Path) -> None:
        self._directory = directory
        self._peer_python = peer_python

    @contextmanager
    def servers(self) -> Generator[list[Server]]:
        """Zypher and its peers, for each kind of request that is measured; each has answered once."""
        with ExitStack() as stack:
            ours, theirs = (stack.enter_context(self._valkey(name)) for name in ("zypher", "arq"))
            port, pid, headers = stack.enter_context(self._zypher(ours))
            yield [
                Server("Zypher", port, pid, headers=headers),
                stack.enter_context(self._bare("bare handler", ours)),
                stack.enter_context(self._bare("bare prediction", ours, "--prediction")),
                stack.enter_context(self._bare("bare hash", ours, "--hash")),
                stack.enter_context(self._fastapi("fastapi_peer", "FastAPI + uvicorn")),
                stack.enter_context(self._mosec()),
                Server("Zypher, later", port, pid, headers={**headers, **LATER}, status=202, valkey=ours),
                stack.enter_context(self._fastapi("fastapi_arq_peer", "FastAPI + arq, later", valkey=theirs)),
            ]

    @contextmanager
    def _valkey(self, name: str) -> Generator[EmbeddedServer]:
        """As ``zypher up`` starts it: what is acknowledged is on the disk."""
        server = EmbeddedServer(self._directory / name)
        server.start()
        try:
            yield server
        finally:
            server.stop()

    @contextmanager
    def _zypher(self, valkey: EmbeddedServer) -> Generator[tuple[int, int, Mapping[str, str]]]:
        """Its port, its process, and the headers of a caller with a key."""
        environment = self._environment(valkey)
        command = [sys.executable, "-m", "zypher_jobs.cli"]
        made = subprocess.run(
            [*command, "keys", "create", "bench", "--requests", LIMIT, "--predictions", LIMIT],
            env={**outside(), "ZYPHER_REDIS_URL": valkey.url},
            check=True,
            capture_output=True,
            text=True,
        )
        port = int(environment["ZYPHER_PORT"])
        with process([*command, "api"], environment, self._directory / "zypher.log") as pid:
            wait_for(f"http://127.0.0.1:{port}/health/ready")
            yield port, pid, {"Authorization": f"Bearer {made.stdout.strip()}"}

    @contextmanager
    def _bare(self, name: str, valkey: EmbeddedServer, *options: str) -> Generator[Server]:
        environment = self._environment(valkey)
        port = int(environment["ZYPHER_PORT"])
        command = [sys.executable, "-m", "bench.bare_handler", *options]
        with process(command, environment, self._directory / f"{name}.log") as pid:
            wait_for(f"http://127.0.0.1:{port}/predict", BODY)
            yield Server(name, port, pid)

    def _environment(self, valkey: EmbeddedServer) -> dict[str, str]:
        return {
            "ZYPHER_REDIS_URL": valkey.url,
            "ZYPHER_PORT": str(free_port()),
            "ZYPHER_MOCK_LATENCY_MS": "0",
            "ZYPHER_DATA_DIR": str(self._directory),
        }

    @contextmanager
    def _fastapi(self, module: str, name: str, valkey: EmbeddedServer | None = None) -> Generator[Server]:
        port = free_port()
        command = [
            *(sys.executable, "-m", "uvicorn", f"bench.{module}:app", "--port", str(port)),
            *("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"),
        ]
        environment = {} if valkey is None else {"BENCH_SOCKET": str(valkey.socket_path)}
        with process(command, environment, self._directory / f"{module}.log") as pid:
            wait_for(f"http://127.0.0.1:{port}/openapi.json")
            yield Server(name, port, pid, status=200 if valkey is None else 202, valkey=valkey)

    @contextmanager
    def _mosec(self) -> Generator[Server]:
        port = free_port()
        command = [
            *(str(self._peer_python), "-m", "bench.peers.mosec_hash"),
            *("--address", "127.0.0.1", "--port", str(port), "--log-level", "warning"),
        ]
        with process(command, {"PYTHONPATH": str(TOP)}, self._directory / "mosec.log") as pid:
            wait_for(f"http://127.0.0.1:{port}/inference", BODY)
            yield Server("Mosec, no batches", port, pid, path="/inference")


def _empty(valkey: EmbeddedServer) -> None:
    """Of the predictions of the last turn."""
    with redis.Redis(unix_socket_path=str(valkey.socket_path)) as client:
        found = cast("Iterator[bytes]", client.scan_iter(count=_CHUNK))  # pyright: ignore[reportUnknownMemberType]
        keys = [key for key in found if not key.startswith(_KEPT)]
        for start in range(0, len(keys), _CHUNK):
            client.unlink(*keys[start : start + _CHUNK])


def _cpu_s(pid: int) -> float | None:
    """Processor time of a process and all that it started; ``None`` where the system does not tell."""
    if not Path(f"/proc/{pid}/stat").exists():
        return None
    children: dict[int, list[tuple[int, float]]] = {}
    own_s = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        used_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        child = int(stat.parent.name)
        children.setdefault(int(fields[1]), []).append((child, used_s))
        if child == pid:
            own_s = used_s
    total_s, unseen = own_s, [pid]
    while unseen:
        for child, used_s in children.get(unseen.pop(), []):
            total_s += used_s
            unseen.append(child)
    return total_s
