"""An example's folder, served as its README says, and asked what its README asks."""

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

import httpx
import pytest

from tests.process.stack import Up

EXAMPLES = Path(__file__).parents[2] / "examples"


class Asked(NamedTuple):
    """A ``curl`` line of a README, and the answer under it."""

    path: str
    body: str
    answer: Any


class Example:
    """What the README of one folder says."""

    def __init__(self, name: str) -> None:
        self.directory = EXAMPLES / name
        self._readme = (self.directory / "README.md").read_text(encoding="utf-8")

    def asked(self) -> list[Asked]:
        """Every call with a body, in order."""
        found: list[tuple[str, str]] = re.findall(r"^(curl .+)\n# (.+)$", self._readme, re.MULTILINE)
        calls: list[Asked] = []
        for command, answer in found:
            _, url, option, body = shlex.split(command)
            assert option == "--json"
            calls.append(Asked(url.removeprefix("localhost:8080"), body, json.loads(answer)))
        return calls

    async def check_programs(self, url: str) -> None:
        """Run each ``python`` line of the README against ``url``; it prints what stands under it."""
        lines: list[tuple[str, str]] = re.findall(r"^python (.+)\n((?:# .+\n)+)", self._readme, re.MULTILINE)
        assert lines
        for words, said in lines:
            ran = await asyncio.to_thread(
                subprocess.run, [sys.executable, *shlex.split(words)], cwd=self.directory, capture_output=True,
                env=os.environ | {"ZYPHER_URL": url}, text=True, timeout=60, check=False,
            )  # fmt: skip
            assert ran.stdout == re.sub(r"^# ", "", said, flags=re.MULTILINE), ran.stderr

    @asynccontextmanager
    async def served(self, directory: Path) -> AsyncGenerator[httpx.AsyncClient]:
        """A client of ``zypher up`` in a copy of the folder, with the settings of the README's line."""
        words = re.findall(r"^(.*)zypher up$", self._readme, re.MULTILINE)[0].split()
        pairs = [word.removeprefix("ZYPHER_").partition("=") for word in words]
        settings = {name.lower(): value for name, _, value in pairs}
        shutil.copytree(self.directory, directory / "example")
        up = Up(directory / "example", **settings)
        try:
            await up.start_and_wait()
            async with httpx.AsyncClient(base_url=up.url, timeout=40) as client:
                yield client
        finally:
            up.kill_everything()


async def now(client: httpx.AsyncClient, path: str, body: Any) -> Any:
    """The answer of a synchronous prediction."""
    answer = await client.post(path, content=body if isinstance(body, str) else json.dumps(body))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def later(client: httpx.AsyncClient, path: str, body: Any) -> Any:
    """The output of one that went through the queue to a worker."""
    content = body if isinstance(body, str) else json.dumps(body)
    answer = await client.post(path, content=content, headers={"Async-Mode": "true"})
    assert answer.status_code == 202, answer.text
    record = (await client.get(f"{answer.headers['location']}?wait=30")).json()
    assert record["status"] == "succeeded", record
    return record["output"]


def near(value: Any) -> Any:
    """The same, but for the last places of numbers."""
    if isinstance(value, dict):
        return {key: near(part) for key, part in cast("dict[str, Any]", value).items()}
    return pytest.approx(value, abs=0.002) if isinstance(value, float) else value
