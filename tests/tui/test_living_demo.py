"""``zypher tui --demo``: alive, the same for everybody, and it does nothing."""

import sys
from pathlib import Path

import pytest

from tests.tui.screen import screen_text
from tests.tui.terminal import Terminal
from zypher_jobs.contracts.prediction import Priority
from zypher_jobs.testing import wait_until
from zypher_tui.core.readings import SourceName
from zypher_tui.demo import ActedSource, living_demo
from zypher_tui.sources.demo import DemoSystem
from zypher_tui.sources.source import Order, Refused
from zypher_tui.themes import DARK


async def screen_after(seconds: float) -> str:
    """What a demo shows so long after its start."""
    now_s = 1000.0
    dashboard = living_demo(lambda: now_s)
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await wait_until(lambda: dashboard.feeds.is_reading)
        now_s += seconds
        await wait_until(lambda: dashboard.view.overview_at_s == 150 + seconds)
        dashboard.use_theme(DARK)  # draws
        await pilot.pause()
        return screen_text(dashboard)


async def test_it_lives_and_is_the_same_each_time() -> None:
    """Later is another screen; the same time is the same figures."""
    first, again, later = await screen_after(5), await screen_after(5), await screen_after(30)
    assert first.splitlines()[:6] == again.splitlines()[:6]
    assert first.splitlines()[3:6] != later.splitlines()[3:6]


async def test_what_acts_says_that_it_is_a_demo() -> None:
    """Nothing is sent."""
    source = ActedSource(SourceName.API, DemoSystem(), lambda: 1.0)
    intake = await source.intake("mock")
    assert intake.schema == {}
    with pytest.raises(Refused, match="This is a demo"):
        await source.submit(Order(model="mock", version="", priority=Priority.NORMAL, input_json="1"))


def test_the_command_needs_nothing(tmp_path: Path) -> None:
    """No server, no settings, no directory of data; it says what it is and ends with q."""
    code = f"import os, sys; os.chdir({str(tmp_path)!r}); sys.argv[1:] = ['tui', '--demo']"
    terminal = Terminal(
        [sys.executable, "-c", f"{code}; from zypher_jobs.cli import main; main()"],
        environment={"PYTHONPATH": str(Path.cwd()), "XDG_CONFIG_HOME": str(tmp_path)},
    )
    try:
        terminal.wait(lambda text: "Needs attention" in text)
        terminal.wait(lambda text: "This is a demo" in text)
        terminal.type("q")
        while not terminal.has_ended():
            terminal.read(0.05)
        assert terminal.process.returncode == 0
        assert list(tmp_path.iterdir()) == []
    finally:
        terminal.close()
