"""``zypher top`` on a running Zypher, as scripts use it."""

import json
import signal
import subprocess
from collections.abc import Callable
from typing import Any

from tests.process.stack import COMMAND, Up


def watched(up: Up) -> list[dict[str, Any]]:
    """Three lines of ``--watch``, which then ends as asked."""
    command = [*COMMAND, "top", "--watch", "--every-s", "0.1"]
    with subprocess.Popen(command, env=up.environ, cwd=up.directory, stdout=subprocess.PIPE) as watching:
        assert watching.stdout is not None
        lines = [json.loads(watching.stdout.readline()) for _ in range(3)]
        watching.send_signal(signal.SIGINT)
        assert watching.wait(20) == 0
    return lines


async def test_scripts_watch_and_check(make_up: Callable[..., Up]) -> None:
    """One object a line until interrupted; exit codes that say how it stands."""
    up = make_up()
    await up.start_and_wait()
    lines = watched(up)
    assert {line["figures_from"] for line in lines} == {"api"}
    assert lines[0]["overview"]["taken_at"] < lines[2]["overview"]["taken_at"]
    assert up.run("top", "--check", "workers==1,dead==0").returncode == 0
    assert up.run("top", "--check", "workers>1").returncode == 1
    for arguments, said in {
        ("--check", "p95<300"): "Did you mean",
        ("--once", "--watch"): "one of --once, --watch, --check and --record",
        (): "one of --once, --watch, --check and --record",
    }.items():
        refused = up.run("top", *arguments)
        assert refused.returncode == 2
        assert said in refused.stderr
