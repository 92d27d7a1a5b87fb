"""The tutorial of the dashboard, walked through as a person would: real processes, a real terminal, real keys.

``python -m tests.story.walk`` walks in tmux and writes ``docs/tutorial.md``; a test walks there too, and on a
pseudo-terminal, and sees what the text says.
"""

import asyncio
import os
import re
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from tests.process.stack import COMMAND, Up
from tests.terminals.terminal import Terminal
from tests.terminals.tmux import Tmux
from zypher_jobs.testing import wait_until

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tutorial.md"
COLUMNS, ROWS = 100, 38
DOWN = "\x1b[B"
TO_THE_LANGUAGE = f"{DOWN}{DOWN}\x1b[F\x1b[D"
"""Down, down, end, left: before the quote that ends it."""
BACKSPACE = "\x7f"
ASK = """ask() {
  curl -sS -o /dev/null http://localhost:8080/models/translator/predict -H 'Async-Mode: true' --json "$1"
}"""
START = "ZYPHER_MODELS=examples.translator.translator:Translator ZYPHER_CONCURRENCY=4 just up"


class Walk:
    """Presses keys, waits for what must then be seen, and keeps the screens with what is said of them."""

    def __init__(self, up: Up, terminal: Terminal | Tmux) -> None:
        self.up = up
        self.terminal = terminal
        self.page: list[str] = []

    def say(self, text: str) -> None:
        """A paragraph."""
        self.page.append(" ".join(text.split()))

    async def press(self, keys: str, *seen: str, timeout_s: float = 30) -> None:
        """Press keys, and wait until all of that is on the screen."""
        self.terminal.type(keys)
        await self.see(*seen, timeout_s=timeout_s)

    async def see(self, *seen: str, timeout_s: float = 30) -> None:
        """Wait until all of that is on the screen; raises ``TimeoutError`` with the screen."""
        await asyncio.to_thread(
            self.terminal.wait, lambda text: all(re.search(each, text) for each in seen), timeout_s=timeout_s
        )

    def show(self) -> None:
        """Keep the screen as it is."""
        self.page.append("```text\n" + "\n".join(_anywhere(each) for each in self.terminal.text.split("\n")) + "\n```")

    async def run(self, *lines: str) -> None:
        """Commands for another shell: the page shows them, and they are run."""
        self.page.append("\n".join(("```sh", *lines, "```")))
        program = "\n".join((ASK, *lines)).replace("http://localhost:8080", self.up.url)
        shell = await asyncio.create_subprocess_exec("sh", "-ec", program)
        assert await shell.wait() == 0

    async def kill_a_worker(self) -> str:
        """The one that runs most, as an out-of-memory killer does; its id."""
        async with httpx.AsyncClient(base_url=self.up.url) as client:

            async def busiest() -> dict[str, object] | None:
                workers = (await client.get("/workers")).json()["workers"]
                running = [each for each in workers if each["running"]]
                return max(running, key=lambda each: each["running"]) if running else None

            found = await wait_until(busiest)
            assert found is not None
            os.kill(int(str(found["pid"])), signal.SIGKILL)
            return str(found["worker_id"])

    async def settle(self) -> None:
        """Until nothing runs and nothing waits."""
        async with httpx.AsyncClient(base_url=self.up.url) as client:

            async def is_quiet() -> bool:
                queue = (await client.get("/stats", params={"latest": 0})).json()["queue"]
                return queue["running"] == queue["depth"] == 0

            await wait_until(is_quiet, timeout_s=90)
        await asyncio.to_thread(self.terminal.wait, lambda text: "◐ running" not in text, timeout_s=10)


def _anywhere(line: str) -> str:
    """Without the place where this was run; what stands behind it keeps its column."""
    shorter = line.replace(str(ROOT), "/srv")
    if shorter == line:
        return line
    body, frame = shorter[:-1], shorter[-1]
    return body + " " * (len(line) - len(shorter)) + frame


@asynccontextmanager
async def walking(directory: Path, kind: type[Terminal] | type[Tmux]) -> AsyncGenerator[Walk]:
    """Zypher with the translator and two workers, and a dashboard on a terminal of that kind beside it."""
    up = Up(directory, workers=2, models="examples.translator.translator:Translator", concurrency=4)
    up.environ["PYTHONPATH"] = str(ROOT)
    try:
        await up.start_and_wait()
        terminal = kind([*COMMAND, "tui"], columns=COLUMNS, rows=ROWS, environment=up.environ)
        try:
            yield Walk(up, terminal)
        finally:
            terminal.close()
    finally:
        up.kill_everything()


async def walk(path: Walk) -> None:
    """All of it, from a failing model to a lost worker."""
    path.say("""
        A model fails, and nobody knows why; later, a worker dies. This is what that looks like in the
        dashboard, and what a person does about it. The screens are those of a real run in tmux: `python -m
        tests.story.walk` makes this page, and a test walks it too. The model is
        [examples/translator](../examples/translator/translator.py).
    """)
    path.page.append(f"```sh\n{START}\n```")
    await path.see("API ● up")
    path.say("## A model that fails")
    path.say("Callers ask for translations, from another terminal. The first ten are well, the next fifteen are not.")
    await path.run(
        ASK,
        """for i in $(seq 10); do ask '{"text": "hello world", "language": "de"}'; done""",
        """for i in $(seq 15); do ask '{"text": "hello order", "language": "de-AT"}'; done""",
    )
    path.say("""
        The first screen says so under *Needs attention*: which model, how many, and with which error.
    """)
    await path.see("translator: 15 of the last 25 predictions failed: LookupError", "Dead letters 15")
    path.show()
    path.say("""
        `a` puts the cursor there, and `enter` opens what the line is about: the predictions of that model that
        failed with that error. What keeps them together is a filter, which stands in the title; `/` changes it.
    """)
    await path.press("a", "⏎ open")
    await path.press("\r", r"Predictions · 15 of \d+ · .*status:failed", "LookupError")
    path.show()
    path.say("""
        `enter` once more opens one of them: when it was asked for, how long it waited and ran, why it failed
        with the model's traceback, how many others failed in the same way, and which one was the last that
        went well.
    """)
    await path.press("\r", "LookupError: no dictionary for 'de-AT'", "The same error elsewhere", '"language": "de-AT"')
    path.show()
    path.say("## Mend the input, and send it again")
    path.say("""
        The language is `de-AT`, and there is a dictionary for `de`. `e` opens the input in an editor, which
        holds it against the model's schema while it is typed. Change it, and `ctrl+s` sends it as a new
        prediction.
    """)
    await path.press("e", r"ctrl\+s sends", "● fits")
    await path.press(TO_THE_LANGUAGE + BACKSPACE * 3, '"language": "de"', "● fits")
    path.show()
    path.say("The screen follows the new prediction to its end:")
    await path.press("\x13", "● succeeded", "hallo Bestellung")
    path.show()
    path.say("## A worker that dies")
    path.say("""
        `escape` leads back to the failed one, and again to the list. Now callers send longer texts, and `3` shows
        how both workers are busy with them:
    """)
    await path.press("\x1b", "✗ failed", "esc back")
    await path.press("\x1b", "Predictions · ")
    await path.run("""for i in $(seq 6); do ask '{"text": "'"$(yes hello | head -40 | xargs)"'"}'; done""")
    await path.press("3", "Workers · 2", r"[1-4]/4 .*\n.*[1-4]/4 ", "Runs [1-4]")
    path.show()
    lost = await path.kill_a_worker()
    path.say("""
        Now somebody kills one of them (`kill -9` and its pid; else the system that is out of memory). Within
        seconds it is shown as lost. With the cursor on it (`↓`), the lower half says what became of what it ran:
        another worker took it over, or a new one that the supervisor started in its place.
    """)
    await path.see(f"{lost[-4:]}.*✗ lost", "Workers · 2")
    await path.press(DOWN * 2, f"Worker .*{lost[-4:]}", "◐ running.* 2 ")
    path.show()
    path.say("""
        No prediction was lost with it. Those that needed a second attempt are found by a filter: `2` opens the
        predictions, `escape` shows all of them again, `/` opens the line for a filter, and `attempts>1` keeps
        those. All of them succeed:
    """)
    await path.press("2", r"Predictions · .* of")
    await path.press("\x1b", r"Predictions · \d+ ─")
    await path.press("/", "escape takes it away")
    await path.press("attempts>1\r", r"Predictions · [1-6] of")
    await path.settle()
    path.show()
    path.say("""
        `q` ends the dashboard. [Everything that it can do](dashboard.md) has a page, and `?` says it where you are.
    """)


async def write(page: Path) -> None:
    """Walk, and write what was seen."""
    with tempfile.TemporaryDirectory(prefix="zypher-tutorial-") as directory:
        async with walking(Path(directory), Tmux) as path:
            await walk(path)
            text = "# The dashboard in five minutes\n\n" + "\n\n".join(path.page) + "\n"
    await asyncio.to_thread(page.write_text, text, encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(write(PAGE))
    sys.stdout.write(f"{PAGE}\n")
