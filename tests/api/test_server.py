"""``zypher api`` as a process: ports, signals, exit codes."""

import asyncio
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx
import pytest

from zypher_jobs.errors import StartError
from zypher_jobs.queue import PredictionQueue
from zypher_jobs.settings import Settings
from zypher_jobs.supervisor.listener import bind
from zypher_jobs.testing import free_port, wait_until


def api_process(settings: Settings, **environment: str) -> AbstractAsyncContextManager[Process]:
    """``zypher api`` with these settings."""
    return python_process(settings, "-m", "zypher_jobs.cli", "api", **environment)


@asynccontextmanager
async def python_process(settings: Settings, *arguments: str, **environment: str) -> AsyncGenerator[Process]:
    """Python with these settings in its environment; killed in the end if it is still there."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *arguments),
        env={
            **os.environ,
            "ZYPHER_REDIS_URL": settings.redis_url or "",
            "ZYPHER_PORT": str(settings.port),
            "ZYPHER_DATA_DIR": str(settings.data_dir),
            **environment,
        },
        stderr=PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def answers(url: str) -> bool:
    """Whether the API at ``url`` is ready."""
    try:
        async with httpx.AsyncClient() as client:
            return (await client.get(f"{url}/health/ready")).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_drains_it_and_it_exits_with_0(settings: Settings, number: signal.Signals) -> None:
    """The running prediction is answered, then the process ends; every line it wrote is JSON."""
    url = f"http://127.0.0.1:{settings.port}"
    async with api_process(settings, ZYPHER_MOCK_LATENCY_MS="500") as process, httpx.AsyncClient(timeout=10) as client:
        await wait_until(lambda: answers(url), timeout_s=30)
        predicting = asyncio.create_task(client.post(f"{url}/predict", json={"input": "hello"}))

        async def running() -> bool:
            return "zypher_http_requests_running 2.0" in (await client.get(f"{url}/metrics")).text

        await wait_until(running)
        process.send_signal(number)

        assert (await predicting).status_code == 200
        _, errors = await asyncio.wait_for(process.communicate(), timeout=10)
    assert process.returncode == 0
    lines = [json.loads(line) for line in errors.decode().splitlines()]
    assert "POST /predict 200" in {line["message"] for line in lines}


SIGNALED_EARLY = """
import os, signal, sys
from zypher_api.server import ApiServer, serve
from zypher_jobs.settings import load_settings

def run(server, sockets):
    os.kill(os.getpid(), signal.{name})
    uvicorn_runs(server, sockets)

uvicorn_runs, ApiServer.run = ApiServer.run, run
sys.exit(serve(load_settings()))
"""
"""``zypher api`` that gets a signal just before uvicorn takes over."""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
async def test_a_signal_before_uvicorn_listens_for_it_is_not_lost(settings: Settings, name: str) -> None:
    """A supervisor that starts and stops at once does not wait for its grace period."""
    async with python_process(settings, "-c", SIGNALED_EARLY.format(name=name)) as process:
        _, errors = await asyncio.wait_for(process.communicate(), timeout=30)

    assert (process.returncode, "Traceback" in errors.decode()) == (0, False)


async def test_the_last_synchronous_predictions_are_recorded_before_it_ends(settings: Settings) -> None:
    """What was answered just before the signal is in Redis after it."""
    url = f"http://127.0.0.1:{settings.port}"
    async with api_process(settings, ZYPHER_MOCK_LATENCY_MS="0") as process, httpx.AsyncClient() as client:
        await wait_until(lambda: answers(url), timeout_s=30)
        answer = await client.post(f"{url}/predict", json={"input": "hello"})
        process.terminate()
        await asyncio.wait_for(process.communicate(), timeout=10)

    queue = PredictionQueue.from_settings(settings)
    assert (await queue.prediction(answer.headers["prediction-id"])).output["input"] == "hello"
    await queue.aclose()


async def test_a_taken_port_is_one_sentence_and_exit_1(settings: Settings) -> None:
    """It names the port and the setting; no traceback."""
    with socket.create_server(("127.0.0.1", settings.port)):
        async with api_process(settings) as process:
            _, errors = await asyncio.wait_for(process.communicate(), timeout=30)

    assert process.returncode == 1
    assert (
        errors.decode()
        == f"Port {settings.port} on 127.0.0.1 is taken by another program; stop that or set ZYPHER_PORT.\n"
    )


@pytest.mark.parametrize(
    ("host", "said"), [("192.0.2.1", "not an address of this machine"), ("no.such.host.invalid", "known here")]
)
def test_a_host_that_cannot_be_listened_on_is_refused(host: str, said: str) -> None:
    """With the setting to change."""
    with pytest.raises(StartError, match=said) as refused:
        bind(host, free_port())
    assert "ZYPHER_HOST" in refused.value.message


def test_a_port_that_was_just_left_can_be_taken_again() -> None:
    """Connections in TIME_WAIT do not keep a restart from the port."""
    port = free_port()
    with bind("127.0.0.1", port) as first, socket.create_connection(("127.0.0.1", port)):
        accepted, _ = first.accept()
        accepted.close()
    bind("127.0.0.1", port).close()
