"""``zypher up`` as a test sees it: a real process with its own data directory and port."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import httpx

from zypher_jobs.supervisor.data_dir import DataDir, RunFacts
from zypher_jobs.testing import free_port, wait_until

COMMAND = [sys.executable, "-m", "zypher_jobs.cli"]
START_TIMEOUT_S = 30


class Up:
    """One ``zypher up`` without a terminal; ``start`` may be called again after it has ended."""

    def __init__(self, directory: Path, **settings: object) -> None:
        self.directory = directory
        self.data_dir = directory / "data"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.out = directory / "stdout"
        self.err = directory / "stderr"
        ours = {"data_dir": self.data_dir, "port": self.port, "mock_latency_ms": 0, "workers": 1, "lease_s": 1}
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("ZYPHER_")}
        self.environ |= {f"ZYPHER_{name.upper()}": str(value) for name, value in (ours | settings).items()}
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The supervisor's."""
        assert self.process is not None
        return self.process.pid

    @property
    def facts(self) -> RunFacts:
        """``run.json``."""
        facts = DataDir(self.data_dir).left_behind()
        assert facts is not None
        return facts

    def start(self) -> None:
        """Start it; what it says goes to new files."""
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [*COMMAND, "up"], env=self.environ, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=out, stderr=err
            )

    async def start_and_wait(self) -> None:
        """Start it and wait until each part is said to be ready."""
        self.start()
        await self.wait_ready()

    async def wait_ready(self) -> None:
        """Wait until as many parts are ready as there ought to be."""
        commands = int(self.environ["ZYPHER_WORKERS"]) + int(self.environ.get("ZYPHER_API_PROCESSES", "1"))
        expected = commands + ("ZYPHER_REDIS_URL" not in self.environ)

        def all_ready() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, f"ended early: {self.err.read_text()}"
            return len(self.ready_lines()) >= expected

        await wait_until(all_ready, timeout_s=START_TIMEOUT_S)

    def ready_lines(self) -> list[str]:
        """The plain lines of parts that are ready."""
        return [line for line in self.out.read_text().splitlines() if line.startswith("ready ")]

    def events(self) -> list[dict[str, Any]]:
        """The supervisor's own log records."""
        records: list[dict[str, Any]] = []
        for line in self.err.read_text().splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                record = json.loads(line)
                if isinstance(record, dict) and "event" in record:
                    records.append(cast("dict[str, Any]", record))
        return records

    def said(self, text: str) -> bool:
        """Whether some event's message holds ``text``."""
        return any(text in record["message"] for record in self.events())

    def signal(self, number: signal.Signals) -> None:
        """Send the supervisor a signal."""
        os.kill(self.pid, number)

    async def ended(self, *, timeout_s: float = 20) -> int:
        """The exit code, once it has ended."""
        process = self.process
        assert process is not None
        await wait_until(lambda: process.poll() is not None, timeout_s=timeout_s)
        return process.returncode

    def run(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run another ``zypher`` command on the same data directory, to its end."""
        return subprocess.run(
            [*COMMAND, *arguments],
            env=self.environ | {f"ZYPHER_{name.upper()}": value for name, value in settings.items()},
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def survivors(self) -> list[int]:
        """Processes of this stack that live: all that have its data directory in their environment."""
        mark = f"ZYPHER_DATA_DIR={self.data_dir}\0".encode()
        found: list[int] = []
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (place / "environ").read_bytes():
                    found.append(int(place.name))
        return found

    async def nothing_is_left(self) -> None:
        """Raises ``TimeoutError`` unless every process of this stack has ended, or does within a moment."""
        await wait_until(lambda: not self.survivors(), timeout_s=3)

    def pid_of(self, command: str) -> int:
        """The process that runs a command such as ``tui``."""
        wanted = f"\0{command}\0".encode()
        (pid,) = [pid for pid in self.survivors() if wanted in Path(f"/proc/{pid}/cmdline").read_bytes()]
        return pid

    def kill_everything(self) -> None:
        """SIGKILL to all of it at once."""
        for pid in self.survivors():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.process is not None:
            self.process.wait()

    async def submit(self, count: int) -> list[str]:
        """Submit asynchronous predictions; their ids, each of which was answered with 202."""
        async with httpx.AsyncClient(base_url=self.url) as client:
            ids: list[str] = []
            for number in range(count):
                answer = await client.post("/predict", json={"input": f"n{number}"}, headers={"Async-Mode": "true"})
                assert answer.status_code == 202, answer.text
                ids.append(answer.json()["prediction_id"])
            return ids

    async def records(self, ids: list[str]) -> list[dict[str, Any]]:
        """What ``GET /predict/{id}`` says of each."""
        async with httpx.AsyncClient(base_url=self.url) as client:
            answers = [await client.get(f"/predict/{prediction_id}") for prediction_id in ids]
        return [answer.json() for answer in answers]

    async def statuses(self, ids: list[str]) -> list[str]:
        """The status of each; the number of an answer that was none."""
        return [str(record["status"]) for record in await self.records(ids)]

    async def all_succeed(self, ids: list[str], *, timeout_s: float = 30) -> None:
        """Wait until all have succeeded."""

        async def done() -> bool:
            return set(await self.statuses(ids)) == {"succeeded"}

        await wait_until(done, timeout_s=timeout_s, every_s=0.1)
