"""``zypher tui --web``: the dashboard in a browser on this machine, and for nobody else."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from tests.api.browser import browser
from zypher_jobs.supervisor.probes import is_listening
from zypher_jobs.testing import free_port, wait_until

COMMAND = [sys.executable, "-m", "zypher_jobs.cli", "tui", "--demo", "--web", "--port"]


@asynccontextmanager
async def served(directory: Path) -> AsyncGenerator[str]:
    """The simulated system, in a process of its own; its address."""
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ZYPHER_")}
    process = await asyncio.create_subprocess_exec(
        *COMMAND, str(port), env=environment, cwd=directory, stderr=asyncio.subprocess.PIPE
    )
    try:
        assert process.stderr is not None
        said = (await asyncio.wait_for(process.stderr.readline(), 30)).decode()
        assert f"The dashboard is at http://127.0.0.1:{port} for whoever is on this machine" in said
        url = f"http://127.0.0.1:{port}"
        await wait_until(lambda: is_listening(url))
        yield url
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 15) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_it_is_shown_and_hears_keys(tmp_path: Path) -> None:
    """In headless Chromium without a network it begins; over the same socket a key opens another screen."""
    async with served(tmp_path) as url:
        async with browser(tmp_path) as page:
            await page.open(url)
            await page.wait("document.body.classList.contains('-first-byte')")
            loaded = (
                "performance.getEntriesByType('resource').filter(e => e.responseStatus).map(e => new URL(e.name).host)"
            )
            assert set(await page.run(loaded)) == {url.removeprefix("http://")}
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{url}/ws?width=120&height=36") as socket:
            await _seen(socket, b"Latest predictions")
            await socket.send_str(json.dumps(["stdin", "3"]))
            await _seen(socket, b"memory")


async def _seen(socket: aiohttp.ClientWebSocketResponse, text: bytes) -> None:
    shown = b""

    async def is_there() -> bool:
        nonlocal shown
        message = await socket.receive(20)
        shown += message.data if isinstance(message.data, bytes) else b""
        return text in shown

    await wait_until(is_there, timeout_s=30)


async def test_other_names_and_other_pages_are_kept_out(tmp_path: Path) -> None:
    """A name that somebody has point to this machine, and a page of another site."""
    async with served(tmp_path) as url, aiohttp.ClientSession() as session:
        for path in ("/", "/ws", "/static/js/textual.js"):
            async with session.get(url + path, headers={"Host": "evil.example"}) as refused:
                assert refused.status == 403
            async with session.get(url + path, headers={"Origin": "http://evil.example"}) as refused:
                assert refused.status == 403
        async with session.get(url, headers={"Origin": url}) as answer:
            assert answer.status == 200
            assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
