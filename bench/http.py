"""``just bench http``: synchronous ``/predict`` beside FastAPI + uvicorn doing the same work.

One process each, uvicorn with uvloop and httptools both, taking turns. Zypher as users run it: its mock model without
latency, request ids, metrics, request log, and every prediction recorded in an embedded Valkey on this machine. FastAPI
bare. Exit code 1 when Zypher does not reach ``BAR`` times FastAPI's rate.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from bench.load import Measured, generator, post
from bench.servers import process, wait_for
from zypher_jobs.queue.embedded import EmbeddedServer
from zypher_jobs.testing import free_port

BAR = 1.3
BODY = msgspec.json.encode({"input": "What a piece of work is a man, how noble in reason, how infinite in faculty"})


class Server(msgspec.Struct, frozen=True):
    """One contestant."""

    name: str
    port: int
    pid: int

    def cpu_s(self) -> float | None:
        """Processor time it has used; ``None`` where the system does not tell."""
        stat = Path(f"/proc/{self.pid}/stat")
        if not stat.exists():
            return None
        fields = stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Round(msgspec.Struct, frozen=True):
    """One turn of one contestant."""

    measured: Measured
    cpu_us: float | None
    """Processor time of the server process for each request."""


def main() -> int:
    """Measure, print, and judge."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=float, default=4, help="of each turn")
    arguments.add_argument("--connections", type=int, default=32)
    options = arguments.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        valkey = EmbeddedServer(directory / "data")
        valkey.start()
        stack.callback(valkey.stop)
        ours = stack.enter_context(_zypher(valkey.url, directory))
        peer = stack.enter_context(_fastapi(directory))
        rounds: dict[str, list[Round]] = {ours.name: [], peer.name: []}
        for server in (ours, peer):
            post(server.port, "/predict", BODY, connections=options.connections, seconds=1)
        for number in range(options.rounds):
            # whoever goes second finds a warmer machine: they take turns at that, too
            for server in (ours, peer) if number % 2 else (peer, ours):
                rounds[server.name].append(_turn(server, options.connections, options.seconds))
    return _report(rounds, ours.name, peer.name, options.connections)


def _turn(server: Server, connections: int, seconds: float) -> Round:
    before = server.cpu_s()
    measured = post(server.port, "/predict", BODY, connections=connections, seconds=seconds)
    time.sleep(0.5)  # what it does behind its answers is its own cost, not the next one's
    after = server.cpu_s()
    cpu_us = None if before is None or after is None else (after - before) * 1e6 / measured.requests
    return Round(measured, cpu_us)


def _report(rounds: dict[str, list[Round]], ours: str, peer: str, connections: int) -> int:
    print(f"POST /predict, {len(BODY)} bytes, {connections} connections, load by {generator()}; medians")
    print(f"{'':24}{'requests/s':>12}{'p50 ms':>10}{'p99 ms':>10}{'CPU us/request':>17}")
    for name, turns in rounds.items():
        cpu = [turn.cpu_us for turn in turns if turn.cpu_us is not None]
        print(
            f"{name:24}"
            f"{statistics.median(t.measured.per_second for t in turns):12,.0f}"
            f"{statistics.median(t.measured.p50_ms for t in turns):10.2f}"
            f"{statistics.median(t.measured.p99_ms for t in turns):10.2f}"
            f"{statistics.median(cpu) if cpu else float('nan'):17.1f}"
        )
    ratios = [
        mine.measured.per_second / theirs.measured.per_second
        for mine, theirs in zip(rounds[ours], rounds[peer], strict=True)
    ]
    ratio = statistics.median(ratios)
    print(f"ratio {ratio:.2f} (rounds: {', '.join(f'{each:.2f}' for each in ratios)}); the bar is {BAR}")
    return 0 if ratio >= BAR else 1


@contextmanager
def _zypher(redis_url: str, directory: Path) -> Generator[Server]:
    port = free_port()
    environment = {
        "ZYPHER_REDIS_URL": redis_url,
        "ZYPHER_PORT": str(port),
        "ZYPHER_MOCK_LATENCY_MS": "0",
        "ZYPHER_DATA_DIR": str(directory),
    }
    with process([sys.executable, "-m", "zypher_jobs.cli", "api"], environment, directory / "zypher.log") as pid:
        wait_for(f"http://127.0.0.1:{port}/health/ready")
        yield Server("Zypher", port, pid)


@contextmanager
def _fastapi(directory: Path) -> Generator[Server]:
    port = free_port()
    command = [
        *(sys.executable, "-m", "uvicorn", "bench.fastapi_peer:app", "--port", str(port)),
        *("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"),
    ]
    with process(command, {}, directory / "fastapi.log") as pid:
        wait_for(f"http://127.0.0.1:{port}/openapi.json")
        yield Server("FastAPI + uvicorn", port, pid)


if __name__ == "__main__":
    sys.exit(main())
