"""``zypher deploy`` on real processes: all of them follow, and find what is deployed when they start again."""

import signal
import subprocess
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.models.deploying import adds
from tests.process.stack import COMMAND, Up
from zypher_jobs.testing import free_port, wait_until


@pytest.fixture
async def up(make_up: Callable[..., Up]) -> Up:
    """A running stack with one API and one worker, and two files to deploy."""
    stack = make_up()
    await stack.start_and_wait()
    (stack.directory / "adds.onnx").write_bytes(adds(1))
    (stack.directory / "more.onnx").write_bytes(adds(2))
    return stack


@asynccontextmanager
async def another_api(up: Up) -> AsyncGenerator[str]:
    """A second API process on the same Redis; its URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = start_api(up, port)
    try:
        async with httpx.AsyncClient() as client:

            async def ready() -> bool:
                try:
                    return (await client.get(f"{url}/health/ready")).is_success
                except httpx.TransportError:
                    return False

            await wait_until(ready, timeout_s=30, every_s=0.05)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def start_api(up: Up, port: int) -> subprocess.Popen[bytes]:
    """``zypher api`` on a port."""
    return subprocess.Popen(
        [*COMMAND, "api"],
        env=up.environ | {"ZYPHER_PORT": str(port)},
        cwd=up.directory,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


async def ask(url: str, x: float, **headers: str) -> tuple[str, float]:
    """Which version answers, and what."""
    async with httpx.AsyncClient(timeout=20) as client:
        answer = await client.post(f"{url}/models/adds/predict", json={"x": x}, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.headers["model-version"], answer.json()["y"]


async def test_every_process_follows_the_command(up: Up) -> None:
    """Upload, switch and roll back reach both APIs, and the worker through the queue."""
    queued = {"prefer": "respond-async, wait=10"}
    async with another_api(up) as other:
        first = up.run("deploy", "adds.onnx", "--version", "1")
        assert (first.returncode, first.stdout.splitlines()) == (
            0,
            [
                "adds@1 is ready in 3 processes.",
                f"It is live, with 100% of the traffic: POST {up.url}/models/adds/predict",
            ],
        ), first.stderr
        assert await ask(other, 5) == await ask(up.url, 5, **queued) == ("adds@1", 6)
        second = up.run("deploy", "more.onnx", "--name", "adds", "--version", "2")
        assert second.stdout.splitlines()[1] == (
            f"It has no traffic yet: POST {up.url}/models/adds/versions/2/predict asks it, --live sends all to it."
        )
        assert await ask(other, 5) == ("adds@1", 6)
        assert up.run("deploy", "more.onnx", "--name", "adds", "--version", "2", "--live").returncode == 0
        assert await ask(other, 5) == await ask(up.url, 5, **queued) == ("adds@2", 7)
        async with httpx.AsyncClient() as client:
            assert (await client.post(f"{other}/models/adds/rollback")).status_code == 200
        assert await ask(other, 5) == await ask(up.url, 5, **queued) == ("adds@1", 6)


async def test_what_the_command_refuses_is_one_sentence(up: Up) -> None:
    """On stderr, with exit code 1, and nothing is deployed."""
    (up.directory / "bad.onnx").write_bytes(adds(1)[:-1])
    bad = up.run("deploy", "bad.onnx")
    assert (bad.returncode, bad.stdout, bad.stderr) == (1, "", "The file is no ONNX model.\n")
    live = up.run("deploy", "adds.onnx", "--version", "live")
    assert (live.returncode, live.stderr) == (1, "No version can be called 'live': that names the live one.\n")
    unnamed = up.run("deploy", "adds.onnx", "--name", "No Name")
    assert unnamed.returncode == 2
    assert "name" in unnamed.stderr


async def test_after_a_start_what_was_deployed_is_served_again(up: Up) -> None:
    """All of it is killed; Redis and the store have it still."""
    assert up.run("deploy", "adds.onnx", "--version", "1").returncode == 0
    assert up.run("deploy", "more.onnx", "--name", "adds", "--version", "2", "--live").returncode == 0
    up.kill_everything()
    await up.start_and_wait()
    assert await ask(up.url, 5) == ("adds@2", 7)
    assert await ask(up.url, 5, prefer="respond-async, wait=10") == ("adds@2", 7)
