"""What ``zypher top --record`` and the dashboard record of a real Zypher, through an outage; and without any."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.process.stack import COMMAND, START_TIMEOUT_S, Up
from tests.terminals.terminal import Terminal
from zypher_jobs.queue.embedded import EmbeddedServer
from zypher_jobs.testing import wait_until
from zypher_tui.core.readings import SourceName
from zypher_tui.core.recording import FrameLine, RowsLine, WrongRecording
from zypher_tui.sources.replay import Replay


@contextmanager
def recording(up: Up, path: Path, *arguments: str) -> Generator[subprocess.Popen[bytes]]:
    """A recorder on its way, killed if it still runs; ``up`` does not count it among its own."""
    redis_url = up.environ.get("ZYPHER_REDIS_URL") or up.facts.redis_url or ""
    command = [*COMMAND, "top", "--record", str(path), "--every", "0.2", "--redis", redis_url, *arguments]
    with subprocess.Popen(command, env=others(up), cwd=up.directory, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def others(up: Up) -> dict[str, str]:
    """The environment of what ``up`` does not count among its own, and so does not kill."""
    return {name: value for name, value in up.environ.items() if name != "ZYPHER_DATA_DIR"}


def frames(path: Path) -> list[FrameLine]:
    """Those so far; none of a file that has just begun."""
    try:
        return [line for line in Replay(path).lines() if isinstance(line, FrameLine)]
    except WrongRecording:
        return []


def api_answered(frame: FrameLine) -> bool:
    """Whether the API did."""
    return frame.sources[SourceName.API].error is None


async def test_an_outage_is_in_the_file(make_up: Callable[..., Up], valkey: EmbeddedServer, tmp_path: Path) -> None:
    """The API is killed and comes back: each time can be shown later, with nothing running."""
    up = make_up(redis_url=valkey.url)
    path = tmp_path / "incident"
    await up.start_and_wait()
    with recording(up, path, "--note", "drill") as recorder:
        await up.all_succeed(await up.submit(3))
        await wait_until(lambda: any(api_answered(frame) for frame in frames(path)), timeout_s=20)
        up.kill_everything()
        await wait_until(lambda: not api_answered(frames(path)[-1]), timeout_s=20)
        await up.start_and_wait()
        await up.all_succeed(await up.submit(2))
        await wait_until(lambda: api_answered(frames(path)[-1]), timeout_s=20)
        refused = up.run("top", "--record", str(path))
        recorder.send_signal(signal.SIGTERM)
        _, said = recorder.communicate(timeout=20)
    assert recorder.returncode == 0, said
    assert b"API up" in said
    assert b"API away" in said
    assert b"5 predictions" in said
    assert (refused.returncode, "exists already" in refused.stderr) == (1, True)
    up.kill_everything()
    valkey.kill()

    replay = Replay(path)
    lines = list(replay.lines())
    assert (replay.header.note, replay.amiss) == ("drill", None)
    rows = {row.prediction_id: row for line in lines if isinstance(line, RowsLine) for row in line.rows}
    assert [row.status for row in rows.values()] == ["succeeded"] * 5
    assert "n0" in next(iter(rows.values())).input_preview

    (outage, *_) = [frame for frame in frames(path) if not api_answered(frame)]
    shown = up.run("top", "--replay", str(path), "--at", outage.at.isoformat(), "--once")
    assert shown.returncode == 0
    assert "API away" in shown.stdout
    assert "Figures come straight from Redis." in shown.stdout
    assert shown.stdout.count(" succeeded ") == 3
    last = json.loads(up.run("top", "--replay", str(path), "--once", "--json").stdout)
    assert last["sources"]["api"]["status"] == "up"
    assert len(last["overview"]["latest"]) == 5
    assert up.run("top", "--replay", str(path), "--check", "workers>=1,dead==0,api==1").returncode == 0
    assert up.run("top", "--replay", str(path), "--at", outage.at.isoformat(), "--check", "api==1").returncode == 1


async def test_a_recorder_that_is_killed_leaves_what_it_saw(make_up: Callable[..., Up], tmp_path: Path) -> None:
    """SIGKILL: the file reads up to there, says so, and holds no input that it should not."""
    up = make_up()
    path = tmp_path / "incident"
    await up.start_and_wait()
    with recording(up, path, "--no-previews") as recorder:
        await up.all_succeed(await up.submit(2))
        await wait_until(lambda: any(frame.overview and frame.overview.counts for frame in frames(path)), timeout_s=20)
        recorder.kill()
    shown = up.run("top", "--replay", str(path), "--once")
    assert shown.returncode == 0
    assert "It has no end" in shown.stderr
    assert shown.stdout.count(" succeeded ") == 2
    assert "n0" not in shown.stdout


async def test_a_recording_ends_when_it_was_asked_to(make_up: Callable[..., Up], tmp_path: Path) -> None:
    """After its time, or at its limit; what cannot be meant is refused."""
    up = make_up()
    await up.start_and_wait()
    short = up.run("top", "--record", str(tmp_path / "short"), "--for", "0.5s", "--every", "0.1")
    assert short.returncode == 0
    assert "Recorded" in short.stderr
    small = up.run("top", "--record", str(tmp_path / "small"), "--max-mb", "0.002", "--every", "0.1")
    assert small.returncode == 1
    assert "It has reached its limit: --max-mb 0.002." in small.stderr
    assert (tmp_path / "small").stat().st_size < 4_000
    for arguments, said in {
        ("--replay", str(tmp_path / "short"), "--once", "--at", "noon"): "write +5m",
        ("--replay", str(up.out), "--once"): "It is no recording of Zypher",
        ("--record", str(tmp_path / "x"), "--for", "soon"): "is no time; write 90s",
        ("--record", str(tmp_path / "x"), "--once"): "one of --once, --watch, --check and --record",
    }.items():
        refused = up.run("top", *arguments)
        assert (refused.returncode, said in refused.stderr) == (2, True), refused.stderr


@contextmanager
def dashboard(directory: Path, command: list[str], environment: Mapping[str, str]) -> Generator[Terminal]:
    """A dashboard on a terminal, killed if it still runs."""
    terminal = Terminal(command, environment=environment, directory=directory, controls=True)
    try:
        yield terminal
    finally:
        terminal.close()


def the_file(terminal: Terminal, directory: Path) -> Path:
    """The recording that the dashboard begins, with the name that it proposes."""
    terminal.wait(lambda text: "Overview" in text, timeout_s=START_TIMEOUT_S)
    terminal.type("W")
    terminal.wait(lambda text: "goes on until W" in text)
    terminal.type("\r")
    terminal.until(lambda: any(directory.glob("zypher-*.zyr")))
    (path,) = directory.glob("zypher-*.zyr")
    return path


async def test_the_dashboard_records_what_it_saw_and_what_it_sees(
    make_up: Callable[..., Up], valkey: EmbeddedServer, tmp_path: Path
) -> None:
    """On a real Zypher: what ended before the key was pressed, and what ended after; then without any of it."""
    up = make_up(redis_url=valkey.url)
    await up.start_and_wait()
    await up.all_succeed(await up.submit(3))
    command = [*COMMAND, "tui", "--api-url", up.url, "--redis", valkey.url]
    with dashboard(tmp_path, command, others(up)) as terminal:
        terminal.wait(lambda text: "succeeded" in text, timeout_s=START_TIMEOUT_S)
        path = the_file(terminal, tmp_path)
        terminal.until(lambda: frames(path))
        await up.all_succeed(await up.submit(2))
        terminal.until(lambda: len(ended(path)) == 5)
        up.kill_everything()
        terminal.until(lambda: not api_answered(frames(path)[-1]))
        terminal.type("q")
        assert terminal.wait_for_end() == 0
        assert f"zypher tui --replay {path.name}" in " ".join(terminal.after_full_screen.split())
    valkey.kill()
    assert Replay(path).amiss is None
    last = up.run("top", "--replay", str(path), "--once")
    assert (last.returncode, last.stdout.count(" succeeded ")) == (0, 5)
    assert "API away" in last.stdout
    with dashboard(tmp_path, [*COMMAND, "tui", "--replay", str(path)], up.environ) as terminal:
        terminal.wait(lambda text: f"replay of {path.name}" in text, timeout_s=START_TIMEOUT_S)
        terminal.wait(lambda text: "API away" in " ".join(text.split()))
        terminal.type("q")
        assert terminal.wait_for_end() == 0


def ended(path: Path) -> set[str]:
    """Predictions that have succeeded by the file."""
    try:
        lines = list(Replay(path).lines())
    except WrongRecording:
        return set()
    rows = [row for line in lines if isinstance(line, RowsLine) for row in line.rows]
    return {row.prediction_id for row in rows if row.status == "succeeded"}


async def test_a_full_disk_ends_a_recording_with_what_it_has(tmp_path: Path) -> None:
    """The dashboard goes on and says so, also at its end; the file is read as far as it goes."""
    limit = (
        "import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (190_000, 190_000));"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    with dashboard(tmp_path, [sys.executable, "-c", limit, *COMMAND, "tui", "--demo"], os.environ) as terminal:
        path = the_file(terminal, tmp_path)
        terminal.wait(lambda text: "▲ recording ended" in text)
        terminal.type("q")
        assert terminal.wait_for_end() == 0
        assert "The recording has ended: file too large." in " ".join(terminal.after_full_screen.split())
    shown = await asyncio.to_thread(
        partial(subprocess.run, capture_output=True, text=True, check=True, timeout=60),
        [*COMMAND, "top", "--replay", str(path), "--once"],
    )
    assert "It has no end" in shown.stderr
    assert "Zypher 0" in shown.stdout


async def test_a_recording_outlives_its_terminal(tmp_path: Path) -> None:
    """It hangs up, and the dashboard ends at once: what was written can be looked at."""
    with dashboard(tmp_path, [*COMMAND, "tui", "--demo"], os.environ) as terminal:
        path = the_file(terminal, tmp_path)
        terminal.until(lambda: frames(path))
        terminal.hang_up()
        await wait_until(lambda: terminal.process.poll() is not None, timeout_s=20)
    assert frames(path)
