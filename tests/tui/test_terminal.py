"""What really reaches a terminal: the dashboard in a pseudo-terminal of its own."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.terminals.terminal import LEAVE_FULL_SCREEN, Terminal
from zypher_jobs.testing import wait_until

SHOW_HOSTILE = """
from tests.tui.facts import health, overview, reading, summary, worker
from zypher_jobs.contracts.prediction import Status
from zypher_tui.app import Dashboard
from zypher_tui.core.cleaning import cleaned
from zypher_tui.core.readings import SourceName
from zypher_tui.core.store import Store

hostile = "START\\x1b]0;owned\\x07\\x1b[2J\\x9b31m\\u202e[/red]END"
rows = [summary(hostile, model=hostile, worker=hostile, input_preview=hostile, output_preview=hostile,
                status=Status.SUCCEEDED)]
facts = overview(latest=rows, workers=[worker(hostile, host=hostile)])
store = Store()
store.fold(reading(SourceName.API, 1, overview=cleaned(facts), health=health()))
raise SystemExit(Dashboard({}, api_url="http://x", store=store, clock_s=lambda: 1.0).run())
"""


SHOW_A_HOSTILE_LIFE = """
import json
from datetime import timedelta
import msgspec
from tests.tui.facts import NOW, whole
from tests.tui.lives import Api
from zypher_jobs.contracts.prediction import PastAttempt, PredictionFailure, Status
from zypher_tui.app import Dashboard
from zypher_tui.core.cleaning import cleaned
from zypher_tui.core.readings import SourceName

hostile = "START\\x1b]0;owned\\x07\\x1b[2J\\x9b31m\\u202e[/red]END"
failure = PredictionFailure(code=hostile, message=hostile)
past = PastAttempt(number=1, started_at=NOW, finished_at=NOW + timedelta(seconds=1), worker=hostile, error=failure)
value = {hostile: hostile, "long": hostile * 20_000}
failed = cleaned(whole("a", status=Status.FAILED, error=failure, attempts=2, past_attempts=[past], log=[hostile] * 30,
                       started_at=NOW, finished_at=NOW + timedelta(seconds=3), trace_id=hostile, worker=hostile))
api = Api(msgspec.structs.replace(failed, output=value), input_json=json.dumps(value))
dashboard = Dashboard({SourceName.API: lambda: api}, api_url="http://x", interval_s=0.05, clock_s=lambda: 1.0)
raise SystemExit(dashboard.run())
"""


def running(code: str) -> Terminal:
    """Python with it, from this checkout."""
    return Terminal([sys.executable, "-c", code], environment=os.environ | {"PYTHONPATH": str(Path.cwd())})


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """The dashboard showing hostile text in every field."""
    opened = running(SHOW_HOSTILE)
    yield opened
    opened.close()


async def test_no_escape_sequence_of_a_payload_reaches_the_terminal(terminal: Terminal) -> None:
    """Neither in the tables nor in an open prediction: title, clearing and colors of the payload are only text."""
    terminal.until(lambda: "START" in terminal.written)
    terminal.type("\r")
    terminal.until(lambda: "Only its line of the list" in terminal.written)
    assert "␛]0;owned␇" in terminal.written
    terminal.type("\x03")
    code, output = terminal.wait_for_end(), terminal.output
    for sequence in (
        b"\x1b]0;owned",
        b"START\x1b",
        b"\x1b[2J\xc2\x9b",
        "\x9b".encode(),
        "\u202e".encode(),
        b"owned\x07",
    ):
        assert sequence not in output
    assert code == 0


async def test_no_escape_sequence_of_a_whole_prediction_reaches_the_terminal() -> None:
    """Of its input, output, errors and log, folded and written out."""
    terminal = running(SHOW_A_HOSTILE_LIFE)
    try:
        terminal.wait(lambda text: "✗ failed" in text)
        terminal.type("\r")
        terminal.wait(lambda text: "f shows all" in text)
        terminal.type("f")
        terminal.wait(lambda text: "f shows all" not in text)
        assert "␛]0;owned" in terminal.text
        while "u001b]0;owned" not in terminal.text:
            before = terminal.text
            terminal.type("\x1b[6~")
            terminal.wait(lambda text, before=before: text != before)
        terminal.type("e")
        terminal.wait(lambda text: "Nothing can be sent" in text)
        terminal.type("\x03")
        code, output = terminal.wait_for_end(), terminal.output
        for sequence in (
            b"\x1b]0;owned",
            b"START\x1b]",
            b"\x1b[2J\xc2\x9b",
            b"\xc2\x9b",
            b"\xe2\x80\xae",
            b"owned\x07",
        ):
            assert sequence not in output
        assert code == 0
    finally:
        terminal.close()


@pytest.mark.parametrize("end", ["q", "ctrl-c", "SIGTERM"])
async def test_the_terminal_is_given_back_as_it_was(terminal: Terminal, end: str) -> None:
    """The full screen is left, the cursor and the mouse are as before, the exit code is 0."""
    terminal.until(lambda: "START" in terminal.written)
    if end == "SIGTERM":
        terminal.process.send_signal(signal.SIGTERM)
    else:
        terminal.type(b"q" if end == "q" else b"\x03")
    code = terminal.wait_for_end()
    for sequence in (LEAVE_FULL_SCREEN, "\x1b[?25h", "\x1b[?1000l"):
        assert sequence in terminal.written
    assert code == 0


@pytest.fixture
def demo() -> Iterator[Terminal]:
    """The simulated system on a terminal, as ``zypher tui --demo`` shows it."""
    opened = Terminal([sys.executable, "-m", "zypher_jobs.cli", "tui", "--demo"])
    opened.wait(lambda text: "1 Overview" in text and "Latest predictions" in text)
    yield opened
    opened.close()


async def test_nothing_is_left_when_the_terminal_goes_away(demo: Terminal) -> None:
    """Without a signal too: a window that is closed, a connection that is lost."""
    demo.hang_up()
    await wait_until(lambda: demo.process.poll() is not None)
    assert demo.process.returncode == 129


async def test_a_terminal_that_takes_nothing_does_not_keep_it(demo: Terminal) -> None:
    """It draws no further frames, hears the signal, and ends."""
    demo.process.send_signal(signal.SIGTERM)
    await wait_until(lambda: demo.process.poll() is not None, timeout_s=15)
    assert demo.process.returncode in (0, 143)
