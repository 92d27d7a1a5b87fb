"""Another process of this machine: its memory, and how it ended."""

import os
import signal
import subprocess
import sys
from pathlib import Path


def resident_bytes(pid: int) -> int:
    """Memory of a process: from /proc, else from ps, which takes some milliseconds. 0 if there is none."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGESIZE")
    except OSError:
        return int(ask_ps("rss", pid) or 0) * 1024


def ask_ps(what: str, pid: int) -> str:
    """A column of ``ps``, where there is no /proc; empty if there is no such process."""
    if sys.platform == "linux":
        return ""
    command = ["ps", "-o", f"{what}=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603


def describe_exit(code: int) -> str:
    """An exit code in words, after the name of the process."""
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
