"""One part under the supervisor: its restarts, its output, its end."""

import asyncio
import logging
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from zypher_jobs.errors import SettingError, ZypherError
from zypher_jobs.processes import describe_exit
from zypher_jobs.settings import Settings
from zypher_jobs.supervisor.child import Child, Reaper
from zypher_jobs.supervisor.console import Console
from zypher_jobs.supervisor.data_dir import is_alive
from zypher_jobs.supervisor.part import Part, Running
from zypher_jobs.testing import wait_until

IGNORES_SIGTERM = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
)


class ScriptPart(Part):
    """A part that runs a line of Python, ready once it has printed ``ready``."""

    def __init__(self, script: str, *, console: Console, reaper: Reaper) -> None:
        super().__init__("script", "", console=console, on_start=lambda: None)
        self.lines: list[bytes] = []
        self.starts = 0
        self._script = script
        self._reaper = reaper

    def start(self, *, replaces: bool = False) -> Running:
        """Run the line."""
        self.starts += 1
        return Child(
            [sys.executable, "-c", self._script], environ=os.environ, on_line=self.lines.append, reaper=self._reaper
        )

    async def look(self, process: Running) -> str | None:
        """Ready when it says so."""
        return "runs" if b"ready" in self.lines else None

    def refusal(self, code: int, last_line: str) -> ZypherError | None:
        """Code 2 is final."""
        return SettingError(last_line) if code == 2 else None


class Bench:
    """Makes parts and keeps them running."""

    def __init__(self) -> None:
        self.console = Console(Settings(), logs_dir=None)
        self.reaper = Reaper()
        self.reaper.install()
        self.tasks: list[asyncio.Task[None]] = []
        self.parts: list[ScriptPart] = []

    def run(self, script: str) -> ScriptPart:
        """A part that is kept running until the test ends."""
        part = ScriptPart(script, console=self.console, reaper=self.reaper)
        self.parts.append(part)
        self.tasks.append(asyncio.create_task(part.keep_running()))
        return part


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """Parts end with the test; the log handlers of the process are put back."""
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    bench = Bench()
    yield bench
    for task in bench.tasks:
        task.cancel()
    await asyncio.gather(*bench.tasks, return_exceptions=True)
    for part in bench.parts:
        part.kill()
        await part.stop(timeout_s=5)
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


async def test_a_part_that_keeps_failing_says_why_and_waits_longer_each_time(
    bench: Bench, capfd: pytest.CaptureFixture[str]
) -> None:
    """0.5 s, then 1 s, with the last lines that it wrote."""
    part = bench.run("import sys; sys.exit('no such table')")
    started = time.monotonic()
    await wait_until(lambda: part.starts == 3)
    assert time.monotonic() - started >= 1.5
    said = capfd.readouterr().err
    assert "script ended with code 1 before it was ready; starting it again in 0.5 s\\n  no such table" in said
    assert "starting it again in 1 s" in said


async def test_wrong_settings_at_the_first_start_are_final(bench: Bench) -> None:
    """Exit code 2 before it was ever ready: the sentence it ended with is the error."""
    bench.run("import sys; sys.stderr.write('ZYPHER_X is wrong.'); sys.exit(2)")
    with pytest.raises(SettingError, match=r"ZYPHER_X is wrong\."):
        await asyncio.wait_for(bench.tasks[0], timeout=20)


async def test_a_part_that_does_not_end_is_killed_and_said_so(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    """SIGTERM ignored: SIGKILL after the time it was given."""
    part = bench.run(IGNORES_SIGTERM)
    await wait_until(lambda: part.lines)
    bench.tasks[0].cancel()
    assert part.process is not None
    pid = part.process.pid
    await part.stop(timeout_s=0.2)
    assert not is_alive(pid)
    assert "script did not end within 0.2 s" in capfd.readouterr().err


async def test_what_a_part_has_started_ends_with_it(bench: Bench) -> None:
    """A model's own child process does not outlive the killed worker."""
    part = bench.run(
        "import subprocess, sys; "
        "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid, flush=True); input()"
    )
    await wait_until(lambda: part.lines)
    grandchild = int(part.lines[0])
    assert is_alive(grandchild)
    part.kill()
    await wait_until(lambda: part.starts == 2)
    await wait_until(lambda: not is_running(grandchild))


async def test_output_is_read_line_by_line_and_made_harmless(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    """Lines in pieces are put together, one without an end is not lost, control characters do not reach a terminal."""
    part = bench.run("import sys; sys.stdout.write('a' * 100_000 + '\\n\\x1b]0;x\\x07\\nlast')")
    await wait_until(lambda: b"last" in part.lines)
    assert sum(len(line) for line in part.lines if line.startswith(b"a")) >= 100_000
    bench.console.release()
    bench.console.child_line("script", b"\x1b]0;x\x07")
    assert "\x1b" not in capfd.readouterr().err


def test_how_a_process_ended_in_words() -> None:
    """Codes are numbers, signals have names."""
    assert describe_exit(3) == "ended with code 3"
    assert describe_exit(-9) == "was ended by SIGKILL"


def is_running(pid: int) -> bool:
    """Whether a process exists and is not merely unreaped: whoever adopted it may take its time."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
