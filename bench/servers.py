"""Server processes, from their start to their end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import httpx

from zypher_jobs.queue.embedded import EmbeddedServer
from zypher_jobs.testing import free_port

START_TIMEOUT_S = 60
COMMAND = (sys.executable, "-m", "zypher_jobs.cli")


class OwnApi(NamedTuple):
    """An API process, and the settings that what runs beside it needs, too."""

    port: int
    pid: int
    redis_url: str
    environment: Mapping[str, str]


def outside() -> dict[str, str]:
    """The environment without our settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ZYPHER_")}


@contextmanager
def process(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Generator[int]:
    """One that runs meanwhile, with all that it starts; its process id. Of our settings it sees those given here."""
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command,
            env={**outside(), **environment},
            stdout=output,
            stderr=output,
            start_new_session=True,
        ) as server,
    ):
        try:
            yield server.pid
        finally:
            server.terminate()
            with suppress(subprocess.TimeoutExpired):
                server.wait(timeout=10)
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)


@contextmanager
def own_api(directory: Path, **settings: str) -> Generator[OwnApi]:
    """``zypher api`` over a Valkey of its own, once it is ready; both keep what they write in that directory."""
    valkey = EmbeddedServer(directory / "data")
    valkey.start()
    port = free_port()
    environment = {
        "ZYPHER_REDIS_URL": valkey.url,
        "ZYPHER_PORT": str(port),
        "ZYPHER_DATA_DIR": str(directory),
        **{f"ZYPHER_{name.upper()}": value for name, value in settings.items()},
    }
    try:
        with process([*COMMAND, "api"], environment, directory / "api.log") as pid:
            wait_for(f"http://127.0.0.1:{port}/health/ready")
            yield OwnApi(port, pid, valkey.url, environment)
    finally:
        valkey.stop()


def resident_mb(pid: int) -> float:
    """Memory of a process and its children that is in RAM, in MiB; 0 where the system does not tell."""
    place = Path(f"/proc/{pid}")
    if not (place / "status").exists():
        return 0.0
    own_mb = int((place / "status").read_text().partition("VmRSS:")[2].split()[0]) / 1024
    children = [child for thread in place.glob("task/*/children") for child in thread.read_text().split()]
    return own_mb + sum(resident_mb(int(child)) for child in children)


def wait_for(url: str, body: bytes | None = None) -> httpx.Response:
    """Its first 200; raises ``TimeoutError``."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        with suppress(httpx.TransportError):
            answer = (
                httpx.get(url)
                if body is None
                else httpx.post(url, content=body, headers={"content-type": "application/json"})
            )
            if answer.status_code == 200:
                return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"{url} did not answer within {START_TIMEOUT_S} s")
        time.sleep(0.1)
