"""The calls of the README, made as they stand there, give the answers that stand there."""

import asyncio
import json
import re
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, cast

import httpx
import pytest

from tests.process.stack import Up

ROOT = Path(__file__).parents[2]
PREDICTION_ID = re.compile(r"\b[0-9a-f]{32}\b")
MOMENTS = {"request_id", "worker", "wait_ms", "run_ms", "created_at", "started_at", "finished_at"}
"""Members that differ each time."""


class Call(NamedTuple):
    """One ``curl`` line, and what it is said to print."""

    method: str
    path: str
    headers: dict[str, str]
    body: str | None
    with_head: bool
    said: list[str]


def calls() -> Iterator[Call]:
    """Every call of the README, in order."""
    for block in re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL):
        for command, answer in re.findall(r"^(curl .+?\n)((?:#[^\n]*\n)+)", block, re.MULTILINE | re.DOTALL):
            yield parsed(command, [line.removeprefix("#").removeprefix(" ") for line in answer.splitlines()])


def parsed(command: str, said: list[str]) -> Call:
    """What curl would make of its arguments."""
    words = iter(shlex.split(command)[1:])
    url, headers, body, with_head = "", dict[str, str](), None, False
    for word in words:
        match word:
            case "-i":
                with_head = True
            case "-H":
                name, _, value = next(words).partition(": ")
                headers[name] = value
            case "--json":
                body = next(words)
                headers |= {"Content-Type": "application/json", "Accept": "application/json"}
            case _:
                assert not word.startswith("-"), f"this test does not know curl's {word}"
                url = word
    assert url.startswith("localhost:8080/"), url
    return Call("GET" if body is None else "POST", url.removeprefix("localhost:8080"), headers, body, with_head, said)


def steady(value: Any) -> Any:
    """An answer without what differs from one time to the next."""
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return {name: name if name in MOMENTS else steady(member) for name, member in members.items()}
    if isinstance(value, list):
        return [steady(member) for member in cast("list[Any]", value)]
    if isinstance(value, float):
        return pytest.approx(value, abs=0.01)
    return value


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Up]:
    """Everything, with the README's own model."""
    up = Up(tmp_path, models="examples.word_count.word_count:WordCount", workers=1)
    up.environ["PYTHONPATH"] = str(ROOT)
    await up.start_and_wait()
    yield up
    up.kill_everything()


async def test_the_calls_of_the_readme_give_its_answers(running: Up) -> None:
    """Each call in its order, ids replaced by those of this run: same status, same body."""
    ids: dict[str, str] = {}

    def of_this_run(text: str) -> str:
        return PREDICTION_ID.sub(lambda found: ids.get(found[0], found[0]), text)

    made = 0
    async with httpx.AsyncClient(base_url=running.url, timeout=40) as client:
        for call in calls():
            answer = await client.request(call.method, of_this_run(call.path), content=call.body, headers=call.headers)
            said = call.said
            if call.with_head:
                end = said.index("")
                head, said = said[:end], said[end + 1 :]
                assert head[0].startswith(f"HTTP/1.1 {answer.status_code} ")  # the phrase is Python's, and changes
                for line in head[1:]:
                    name, _, value = line.partition(": ")
                    assert answer.headers[name] == value
            expected = json.loads("".join(said))
            if "prediction_id" in expected:
                ids.setdefault(expected["prediction_id"], answer.json()["prediction_id"])
            assert steady(answer.json()) == steady(json.loads(of_this_run("".join(said)))), call.path
            made += 1
    assert made >= 6


async def test_the_client_of_the_readme_gives_its_answers(running: Up) -> None:
    """The lines of Python, as they stand there: the same output now and through the queue."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (lines,) = (each for each in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "zypher_api.client" in each)
    environ = running.environ | {"ZYPHER_URL": running.url}
    ran = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", lines],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    said = f"{{'input': 'hello', 'result': '{sha256(b'hello').hexdigest()}'}}"
    assert ran.stdout.splitlines() == [said, said]
