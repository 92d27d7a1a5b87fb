"""``zypher up`` on a terminal: the dashboard in the foreground, and a sane terminal afterwards."""

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from tests.process.stack import COMMAND, START_TIMEOUT_S, Up
from tests.terminals.terminal import ENTER_FULL_SCREEN, LEAVE_FULL_SCREEN, Terminal


@pytest.fixture
def up(make_up: Callable[..., Up]) -> Up:
    """A stack with one worker, not started."""
    return make_up()


@pytest.fixture
def terminal(up: Up) -> Iterator[Terminal]:
    """``zypher up`` on a terminal."""
    opened = Terminal([*COMMAND, "up"], environment=up.environ, directory=up.directory, controls=True)
    up.process = opened.process
    yield opened
    up.kill_everything()
    opened.close()


def dashboard_of(terminal: Terminal, up: Up) -> int:
    """Wait until the dashboard is shown; its process id."""
    terminal.until(lambda: "Zypher" in terminal.written.partition(ENTER_FULL_SCREEN)[2], timeout_s=START_TIMEOUT_S)
    return up.pid_of("tui")


@pytest.mark.parametrize("key", ["q", "\x03"])
async def test_q_and_ctrl_c_in_the_dashboard_drain(terminal: Terminal, up: Up, key: str) -> None:
    """The parts were ready before it was shown; quitting it ends all in order and the terminal is as before."""
    dashboard_of(terminal, up)
    before = terminal.written.partition(ENTER_FULL_SCREEN)[0]
    assert next(line.split()[1] for line in before.splitlines() if line.startswith("ready")) == "redis"
    assert f"ready  api     {up.url}" in before
    terminal.type(key)
    assert terminal.wait_for_end() == 0
    assert LEAVE_FULL_SCREEN in terminal.written
    ended = [line for line in terminal.after_full_screen.splitlines() if line.endswith("ended")]
    assert ended == ["stop   worker 1 of 1 ended", "stop   api ended", "stop   redis ended"]
    assert terminal.is_sane()
    await up.nothing_is_left()
    logs = {path.name for path in (up.data_dir / "logs").iterdir()}
    assert logs == {"api.log", "worker-1.log", "supervisor.log"}


async def test_a_dashboard_that_dies_is_said_so_and_serving_goes_on(terminal: Terminal, up: Up) -> None:
    """SIGKILL leaves a raw full screen behind: the terminal is put in order, logs follow, Ctrl-C drains."""
    os.kill(dashboard_of(terminal, up), signal.SIGKILL)
    terminal.until(lambda: "dashboard was ended by SIGKILL; serving goes on without it" in terminal.after_full_screen)
    assert terminal.is_sane()
    await up.all_succeed(await up.submit(2))
    terminal.until(lambda: '"part":"api"' in terminal.after_full_screen)
    terminal.type("\x03")
    assert terminal.wait_for_end() == 0
    await up.nothing_is_left()


async def test_sigterm_ends_the_dashboard_too(terminal: Terminal, up: Up) -> None:
    """The dashboard goes after the API, and the terminal is as before."""
    dashboard_of(terminal, up)
    up.signal(signal.SIGTERM)
    assert terminal.wait_for_end() == 0
    assert LEAVE_FULL_SCREEN in terminal.written
    assert terminal.is_sane()
    await up.nothing_is_left()


async def test_a_terminal_that_takes_nothing_does_not_hold_the_end_up(terminal: Terminal, up: Up) -> None:
    """Nobody reads the terminal any more, as when a connection hangs: SIGTERM still ends everything."""
    dashboard_of(terminal, up)
    up.signal(signal.SIGTERM)
    assert await up.ended() == 0
    await up.nothing_is_left()
