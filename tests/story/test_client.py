"""The lines of docs/client.md do what the page says of them."""

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.process.stack import Up

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "client.md").read_text(encoding="utf-8")


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Up]:
    """Everything, with the page's models."""
    models = "examples.word_count.word_count:WordCount,examples.repeat.repeat:Repeat"
    up = Up(tmp_path, models=models, workers=1)
    up.environ["PYTHONPATH"] = str(ROOT)
    await up.start_and_wait()
    yield up
    up.kill_everything()


async def test_the_lines_of_the_page(running: Up) -> None:
    """All of them, one after the other, as one program."""
    program = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    environ = running.environ | {"ZYPHER_URL": running.url}
    ran = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program], env=environ, capture_output=True, text=True, timeout=90
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""  # no progress where there is no terminal
    said = ran.stdout.splitlines()
    assert re.fullmatch(r'so it goes [0-9a-f]{32} "so it goes "', said[0])
    comments = re.findall(r"^ *print\(.*\)  # (.+)$", program, re.MULTILINE)
    assert len(comments) == 2
    assert set(comments) <= set(said)


async def test_the_example_that_listens(running: Up) -> None:
    """It prints the words that it sent."""
    environ = running.environ | {"ZYPHER_URL": running.url}
    program = ROOT / "examples" / "repeat" / "listen.py"
    ran = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, program, "so", "it goes"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert ran.stdout == "so it goes \n", ran.stderr
