"""docs/models/writing.md, followed to the letter in an empty directory: each file is written, each command run."""

import json
import re
import subprocess
import sysconfig
import venv
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.process.stack import Up
from tests.story.test_readme_calls import steady

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "models" / "writing.md").read_text(encoding="utf-8")
HOME = "/home/me/models"
"""What the page calls the directory that it is followed in."""


class Command(NamedTuple):
    """A line for the shell, and what it is said to print."""

    line: str
    said: str


def blocks(heading: str) -> Iterator[tuple[str, str]]:
    """Kind and text of the fenced blocks under a heading, without those under its own headings."""
    (section,) = re.findall(rf"^#+ {re.escape(heading)}\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    yield from re.findall(r"^```([^\n]*)\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


def commands(block: str) -> Iterator[Command]:
    """Each command of a block, with the comment lines behind it."""
    line, said = "", list[str]()
    for text in block.splitlines():
        if text.startswith("#"):
            said.append(text.removeprefix("#").removeprefix(" "))
            continue
        if line:
            yield Command(line, "".join(said))
        line, said = text, []
    yield Command(line, "".join(said))


class Reader:
    """Somebody who does what the page says, with an environment in which Zypher is installed."""

    def __init__(self, up: Up, *, with_pip: bool) -> None:
        self.up = up
        place = up.directory.parent / "environment"
        venv.create(place, with_pip=with_pip, symlinks=True)
        purelib = sysconfig.get_path("purelib", vars={"base": str(place)})
        Path(purelib, "zypher.pth").write_text(f"{ROOT}\n{sysconfig.get_path('purelib')}\n", encoding="utf-8")
        program = place / "bin" / "zypher"
        program.write_text(f"#!{place}/bin/python3\nfrom zypher_jobs.cli import main\nmain()\n", encoding="utf-8")
        program.chmod(0o755)
        up.environ["PATH"] = f"{place}/bin:{up.environ['PATH']}"
        # what pip would fetch is there already: no test talks to a registry
        up.environ |= {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        up.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # the reader has pytest; ours has 2 s of plugins

    def write(self, heading: str) -> None:
        """The files under a heading."""
        for kind, text in blocks(heading):
            if name := kind.partition(" ")[2]:
                (self.up.directory / name).write_text(text, encoding="utf-8")

    async def follow(self, heading: str) -> None:
        """Write the files under a heading and run its commands; each must give what it is said to give."""
        self.write(heading)
        for kind, text in blocks(heading):
            if kind == "sh":
                for command in commands(text):
                    if command.line.endswith("zypher up") and not command.said:
                        self._start(command.line)
                        await self.up.wait_ready()
                    else:
                        self._run(command)

    def _start(self, line: str) -> None:
        up = self.up
        with up.out.open("wb") as out, up.err.open("wb") as err:
            up.process = subprocess.Popen(
                ["sh", "-c", f"exec env {line}"],
                env=up.environ, cwd=up.directory, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
            )  # fmt: skip

    def _run(self, command: Command) -> None:
        done = self.run(command.line)
        printed = (done.stderr if done.returncode else done.stdout).replace(str(self.up.directory), HOME).strip()
        if not command.said:
            assert done.returncode == 0, f"{command.line}\n{done.stdout}{done.stderr}"
        elif command.said.startswith("{"):
            assert steady(json.loads(printed)) == steady(json.loads(command.said)), command.line
        else:
            assert printed == command.said, command.line

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        """What the shell makes of a line."""
        line = line.replace("localhost:8080", f"127.0.0.1:{self.up.port}")
        if line.startswith("curl "):
            line = f"curl --silent --show-error {line.removeprefix('curl ')}"
        return subprocess.run(
            ["sh", "-c", line], env=self.up.environ, cwd=self.up.directory, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip


Follow = Callable[..., Awaitable[Reader]]


@pytest.fixture
async def follow(tmp_path: Path) -> AsyncIterator[Follow]:
    """Makes the reader follow a heading of the page, in an empty directory with nothing but the ten lines."""
    directory = tmp_path / "models"
    directory.mkdir()
    up = Up(directory, workers=1)
    readers: list[Reader] = []

    async def follow(heading: str, *, with_pip: bool = False) -> Reader:
        if not readers:
            readers.append(Reader(up, with_pip=with_pip))
            readers[0].write("Ten lines")
        await readers[0].follow(heading)
        return readers[0]

    yield follow
    up.kill_everything()


async def queued(up: Up, path: str, body: str) -> Any:
    """The output of the same call through the queue."""
    async with httpx.AsyncClient(base_url=up.url, timeout=40) as client:
        accepted = await client.post(path, content=body, headers={"Async-Mode": "true"})
        return (await client.get(f"{accepted.headers['Location']}?wait=30")).json()["output"]


async def test_ten_lines_run_without_a_server(follow: Follow) -> None:
    """The class of the page predicts, and refuses what does not fit."""
    await follow("Ten lines")


async def test_a_file_to_begin_with_works(follow: Follow) -> None:
    """``new-model``, ``predict`` and the test that was written with it."""
    await follow("A file to begin with")


async def test_a_model_is_added_by_its_class(follow: Follow) -> None:
    """One setting."""
    reader = await follow("By its class")
    assert await queued(reader.up, "/models/word-count/predict", '{"text": "a b c"}') == {"words": 3}


async def test_a_model_is_added_in_zypher_toml(follow: Follow) -> None:
    """A class, and an ONNX file as a table; also through the queue."""
    reader = await follow("In zypher.toml")
    assert await queued(reader.up, "/models/word-count/predict", '{"text": "a b c"}') == {"words": 3}
    drawn = (reader.up.directory / "two.json").read_text(encoding="utf-8")
    assert (await queued(reader.up, "/models/digit-net/predict", drawn))["label"] == "2"


async def test_a_model_is_added_by_an_entry_point(follow: Follow) -> None:
    """pip installs it, and no setting names it."""
    reader = await follow("By an entry point", with_pip=True)
    (reader.up.directory / "word_count.py").unlink()  # what is installed is what is served
    assert await queued(reader.up, "/models/word-count/predict", '{"text": "a b c"}') == {"words": 3}
    (listed,) = [line for line in reader.run("zypher doctor").stdout.splitlines() if " word-count@1 " in line]
    assert listed.startswith("✓ ok    model     word-count@1 loads in ")


async def test_a_mistake_is_found_at_the_start(follow: Follow) -> None:
    """With the file and the line, and what to write."""
    await follow("When it cannot be served")


def test_the_example_of_a_test_is_true() -> None:
    """What the page asserts about ``zypher_jobs.testing.predict``."""
    (example,) = [text for kind, text in blocks("A file to begin with") if kind == "python"]
    (ten_lines,) = [text for kind, text in blocks("Ten lines") if kind.startswith("python")]
    names: dict[str, Any] = {"__name__": "word_count"}
    exec(f"{ten_lines}\n{example}", names)
