"""A headless Chromium that can reach nothing but this machine, steered by its DevTools protocol."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from zypher_jobs.testing import wait_until

TIMEOUT_S = 60


def chromium() -> str:
    """Where it is; on CI it must be there."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None and os.environ.get("CI"):
        pytest.fail("Chromium is not installed, and CI must show the pages without a network")
    return found or pytest.skip("Chromium is not installed")


class Page:
    """One tab."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = count(1)

    async def open(self, url: str) -> None:
        """Go there."""
        await self._call("Page.navigate", url=url)

    async def run(self, script: str) -> Any:
        """The value of an expression; raises ``RuntimeError`` for what it throws."""
        said = await self._call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in said:
            raise RuntimeError(said["exceptionDetails"])
        return said["result"].get("value")

    async def wait(self, script: str) -> Any:
        """The value of an expression once it is true; what it throws until then is waited for too."""
        value: Any = None

        async def true() -> bool:
            nonlocal value
            try:
                value = await self.run(script)
            except RuntimeError:
                return False
            return bool(value)

        await wait_until(true, timeout_s=TIMEOUT_S, every_s=0.1)
        return value

    async def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._ids)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            answer = json.loads(await self._socket.receive_str(timeout=TIMEOUT_S))
            if answer.get("id") == number:
                return answer["result"]


@asynccontextmanager
async def browser(directory: Path) -> AsyncGenerator[Page]:
    """A tab of a browser of its own, whose profile is in ``directory``."""
    process = await asyncio.create_subprocess_exec(
        chromium(),
        *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1280,1600"),
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--remote-debugging-port=0",
        f"--user-data-dir={directory}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        said = directory / "DevToolsActivePort"
        await wait_until(lambda: said.exists() and "\n" in said.read_text(), timeout_s=TIMEOUT_S)
        port = said.read_text().splitlines()[0]
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                (tab,) = [each for each in await answer.json(content_type=None) if each["type"] == "page"]
            async with session.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                yield Page(socket)
    finally:
        process.kill()
        await process.wait()
