"""The calls of docs/models/streaming.md, made as they stand there, give the events that stand there."""

import re
import shlex
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests.process.stack import Up

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "models" / "streaming.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / "examples" / "repeat" / "repeat.py").read_text(encoding="utf-8")
MOMENTS = (
    (re.compile(r"\b[0-9a-f]{32}\b"), "PREDICTION"),
    (re.compile(r"^id: ([0-9]{13}-)?[0-9]+$", re.MULTILINE), "id: ID"),
    (re.compile(r"\b[0-9]{4}-[-0-9T:.]+Z"), "WHEN"),
)
"""What differs each time."""


def calls() -> Iterator[tuple[list[str], str]]:
    """curl's arguments, and what it prints."""
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL):
        for command, answer in re.findall(r"^(curl .+)\n((?:#.*\n)+)", block, re.MULTILINE):
            lines = [line.removeprefix("#").removeprefix(" ") for line in answer.splitlines()]
            yield shlex.split(command)[1:], "\n".join(lines)


def steady(text: str) -> list[str]:
    """Without what differs from one time to the next; line breaks inside of JSON are the page's."""
    for pattern, name in MOMENTS:
        text = pattern.sub(name, text)
    # of progress only the newest is told on a machine that is slow
    return [event for event in text.replace(',\n "', ',"').split("\n\n") if not event.startswith("event: progress")]


async def ask(client: httpx.AsyncClient, words: list[str]) -> str:
    """What curl would make of its arguments."""
    url, headers, body = "", dict[str, str](), None
    arguments = iter(words)
    for word in arguments:
        match word:
            case "-N":
                pass
            case "-H":
                name, _, value = next(arguments).partition(": ")
                headers[name] = value
            case "--json":
                body = next(arguments)
                headers = {"Content-Type": "application/json", "Accept": "application/json"} | headers
            case _:
                url = word.removeprefix("localhost:8080")
    answer = await client.request("GET" if body is None else "POST", url, content=body, headers=headers)
    return answer.text.rstrip("\n")


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Up]:
    """Everything, with the page's model."""
    up = Up(tmp_path, models="examples.repeat.repeat:Repeat", workers=1)
    up.environ["PYTHONPATH"] = str(ROOT)
    await up.start_and_wait()
    yield up
    up.kill_everything()


def test_the_model_of_the_page_is_the_example() -> None:
    """What people copy is what the tests run."""
    (shown,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert EXAMPLE.endswith(shown)


async def test_the_calls_of_the_page_give_its_events(running: Up) -> None:
    """Each in its order, with this run's ids of the prediction and of its second word."""
    prediction_id = second_word = ""
    made = 0
    async with httpx.AsyncClient(base_url=running.url, timeout=40) as client:
        for words, said in calls():
            of_this_run = [re.sub(r"\b[0-9a-f]{32}\b", prediction_id, word) for word in words]
            of_this_run = [re.sub(r"\b[0-9]{13}-[0-9]+", second_word, word) for word in of_this_run]
            answer = await ask(client, of_this_run)
            assert steady(answer) == steady(said), words
            prediction_id = (re.findall(r'"prediction_id":"([0-9a-f]{32})"', answer) or [prediction_id])[0]
            second_word = (re.findall(r'id: ([-0-9]+)\ndata: "it "', answer) or [second_word])[0]
            made += 1
    assert made == 4
