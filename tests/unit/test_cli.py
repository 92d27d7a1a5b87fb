"""How the ``zypher`` command ends."""

import subprocess
import sys

import pytest

from zypher_jobs import cli


def test_a_broken_pipe_that_is_not_the_outputs_is_no_silent_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Click takes every one for the end of a reader such as ``head``."""

    def break_down(*_: object, **__: object) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("zypher_jobs.worker.main.run_worker", break_down)
    monkeypatch.setenv("ZYPHER_REDIS_URL", "redis://127.0.0.1:1")
    monkeypatch.setattr(sys, "argv", ["zypher", "worker"])
    with pytest.raises(RuntimeError, match="went away") as raised:
        cli.main()
    assert isinstance(raised.value.__cause__, BrokenPipeError)


def test_a_reader_that_has_enough_ends_a_command_without_a_word() -> None:
    """``zypher openapi | head`` prints no traceback."""
    with subprocess.Popen(
        [sys.executable, "-m", "zypher_jobs.cli", "openapi"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1
