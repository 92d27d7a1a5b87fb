"""The tutorial of the dashboard, walked through as a person would: real processes, a real terminal, real keys.

``python -m tests.story.walk`` writes ``docs/tutorial.md``; a test walks it too, and sees what the text says.
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
from tests.tui.terminal import Terminal
from zypher_jobs.testing import wait_until

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tutorial.md"
COLUMNS, ROWS = 100, 40
TO_THE_LANGUAGE = "\x1b[B\x1b[B\x1b[F\x1b[D"
"""Down, down, end, left: before the quote that ends it."""
BACKSPACE = "\x7f"
GOOD = {"text": "hello world", "language": "de"}
BAD = {"text": "hello order", "language": "de-AT"}
LONG = {"text": " ".join(["hello world"] * 20), "language": "fr"}


class Walk:
    """Presses keys, waits for what must then be seen, and keeps the screens with what is said of them."""

    def __init__(self, up: Up, terminal: Terminal) -> None:
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

    async def ask(self, value: object, *, times: int = 1, model: str = "translator") -> None:
        """Ask for predictions, to be answered later."""
        async with httpx.AsyncClient(base_url=self.up.url) as client:
            items = [{"model": model, "input": value} for _ in range(times)]
            (await client.post("/predictions", json=items)).raise_for_status()

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
async def walking(directory: Path) -> AsyncGenerator[Walk]:
    """Zypher with the translator and two workers, and a dashboard on a terminal beside it."""
    up = Up(directory, workers=2, models="translator:Translator", concurrency=4)
    up.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "examples" / "translator")])
    try:
        await up.start_and_wait()
        terminal = Terminal([*COMMAND, "tui"], columns=COLUMNS, rows=ROWS, environment=up.environ)
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
        dashboard, and what a person does about it. The screens are those of a real run: `python -m
        tests.story.walk` makes this page, and a test walks it too. The model is
        [examples/translator](../examples/translator/translator.py).
    """)
    path.page.append("```sh\ncd examples/translator && PYTHONPATH=. ZYPHER_MODELS=translator:Translator zypher up\n```")
    await path.see("API ● up")
    await path.ask(GOOD, times=10)
    await path.see(r"● succeeded")
    await path.ask(BAD, times=15)
    path.say("## A model that fails")
    path.say("""
        Callers ask for translations. Some of them come back failed. On the first screen, *Needs attention*
        says which model, how often, and with which error:
    """)
    await path.see(r"translator.*failed", "LookupError")
    path.show()
    path.say("`a` leads there, and `enter` opens what the line is about: the predictions of that model that failed.")
    await path.press("a", "open")
    await path.press("\r", r"Predictions · 15 of \d+ · .*status:failed", "LookupError")
    path.show()
    path.say("""
        `enter` once more opens one of them: when it was asked for, how long it waited and ran, why it failed,
        how many others failed in the same way, and which one was the last that went well.
    """)
    await path.press("\r", "LookupError: no dictionary for 'de-AT'", "The same error elsewhere", '"language": "de-AT"')
    path.show()
    path.say("## Mend the input, and send it again")
    path.say("""
        The language is `de-AT`, and there is a dictionary for `de`. `e` opens the input in an editor, which
        holds it against the model's schema while it is typed. Change it, and `ctrl+s` sends it as a new
        prediction.
    """)
    await path.press("e", r"ctrl\+s sends", r"fits|as the model takes it|✓|●")
    await path.press(TO_THE_LANGUAGE + BACKSPACE * 3, '"language": "de"')
    path.show()
    path.say("The screen follows the new prediction to its end:")
    await path.press("\x13", "● succeeded", "hallo Bestellung")
    path.show()
    path.say("## A worker that dies")
    path.say("""
        `escape` leads back to the failed one, and again to the list; `3` opens the workers. Both have longer
        texts to translate when somebody kills one of them (`kill -9`, an out-of-memory killer, a machine that
        is gone):
    """)
    await path.press("\x1b", "✗ failed", "esc back")
    await path.press("\x1b", "Predictions · ")
    await path.ask(LONG, times=6)
    await path.press("3", "3 Workers 2", r"running\D+[1-9]|[1-4]/4")
    path.show()
    lost = await path.kill_a_worker()
    path.say("Within seconds it is shown as lost, with what became of what it held.")
    await path.see("lost", lost[-4:])
    path.show()
    path.say("The supervisor has started another worker. All six predictions succeed, none of them was lost:")
    await path.press("2", r"Predictions · .* of")
    await path.press("\x1b", r"Predictions · \d+ ─")
    await path.press("/", "escape takes it away")
    await path.press("attempts>1\r", r"Predictions · [1-6] of")
    await path.settle()
    path.show()


async def write(page: Path) -> None:
    """Walk, and write what was seen."""
    with tempfile.TemporaryDirectory(prefix="zypher-tutorial-") as directory:
        async with walking(Path(directory)) as path:
            await walk(path)
            text = "# The dashboard in five minutes\n\n" + "\n\n".join(path.page) + "\n"
    await asyncio.to_thread(page.write_text, text, encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(write(PAGE))
    sys.stdout.write(f"{PAGE}\n")
