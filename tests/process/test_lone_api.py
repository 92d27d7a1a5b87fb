"""``zypher reload`` of a ``zypher api`` that runs alone."""

import subprocess
from pathlib import Path

import httpx
import pytest

from tests.process.stack import COMMAND, Up
from zypher_jobs.supervisor.lone_api import findable, lone_apis
from zypher_jobs.testing import wait_until


@pytest.fixture
def here(tmp_path: Path, redis_url: str) -> Up:
    """A data directory and a port, over a Redis that runs already."""
    return Up(tmp_path, redis_url=redis_url)


def started(here: Up, log: Path) -> subprocess.Popen[bytes]:
    """The supervisor of ``zypher api``."""
    with log.open("wb") as err:
        return subprocess.Popen([*COMMAND, "api"], env=here.environ, cwd=here.directory, stderr=err)


async def test_it_is_found_by_its_data_directory_and_port(here: Up) -> None:
    """Its processes are replaced, and the command says which process does it; on another port it says where one is."""
    log = here.directory / "log"
    api = started(here, log)
    try:

        async def is_ready() -> bool:
            try:
                async with httpx.AsyncClient() as client:
                    return (await client.get(f"{here.url}/health/ready")).status_code == 200
            except httpx.TransportError:
                return False

        await wait_until(is_ready, timeout_s=30)
        other = here.run("reload", port="1")
        assert other.returncode != 0
        assert f"One runs on port {here.port}: ZYPHER_PORT={here.port} zypher reload." in other.stderr
        asked = here.run("reload")
        assert (asked.returncode, asked.stdout.split(" replaces")[0]) == (0, f"Asked: process {api.pid}"), asked.stderr
        await wait_until(lambda: "done: every process is new" in log.read_text(), timeout_s=30)
    finally:
        api.terminate()
        api.wait(30)
    gone = here.run("reload")
    assert gone.returncode != 0
    assert "nothing to reload" in gone.stderr
    assert "SIGHUP" in gone.stderr
    assert lone_apis(here.data_dir) == []


def test_one_that_was_killed_is_not_found(tmp_path: Path) -> None:
    """Its file may be there, but nobody holds it; neither is one of another machine."""
    path = tmp_path / "api-8080.json"
    path.write_text('{"port": 8080, "pid": 1, "host": "here"}')
    assert lone_apis(tmp_path) == []
    with findable(tmp_path, 8080):
        (found,) = lone_apis(tmp_path)
        assert found.port == 8080
        path.write_text('{"port": 8080, "pid": 1, "host": "elsewhere.invalid"}')
        assert lone_apis(tmp_path) == []


def test_a_directory_that_cannot_be_written_keeps_nothing_from_running(tmp_path: Path) -> None:
    """It is just not found."""
    (tmp_path / "file").touch()
    with findable(tmp_path / "file" / "data", 8080):
        assert lone_apis(tmp_path / "file" / "data") == []
