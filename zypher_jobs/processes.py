"""Another process of this machine: its memory, how it ended, and whom it gives way to."""

import contextlib
import ctypes
import os
import platform
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

NICER = 10
"""Than its parent: of a processor that both want it gets a tenth."""
SLICE_NS = 100_000_000
"""The longest that Linux lets a process ask for."""
_AUTOGROUP_TRIES = 10
_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
"""Machine → number of the system call, which libc has no name for before glibc 2.41."""


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


def open_many_files() -> None:
    """Let this process have as many files and connections open as the system allows it: the usual 1,024 are few."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # macOS names no limit and takes none
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def give_way(pid: int) -> None:
    """Let the leader of a session, and all that it starts, give way to whatever wants a processor.

    Beside being nicer it asks for long slices: Linux (6.12 and later) lets who asks for shorter ones interrupt it as
    soon as it wakes, which else waits for the end of the slice, up to 4 ms. Where the system groups processes by
    session, what it compares are the groups, so that of the new session is made nicer too. What cannot be had is left.
    Blocks for a tenth of a second where others of the machine do the same.
    """
    nice = min(19, os.getpriority(os.PRIO_PROCESS, 0) + NICER)
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, nice)
    if sys.platform != "linux":
        return
    if number := _SCHED_SETATTR.get(platform.machine()):
        asked = _SchedAttr(size=ctypes.sizeof(_SchedAttr), sched_nice=nice, sched_runtime=SLICE_NS)
        ctypes.CDLL(None).syscall(number, pid, ctypes.byref(asked), 0)
    group = Path(f"/proc/{pid}/autogroup")
    for _ in range(_AUTOGROUP_TRIES):
        try:
            group.write_text(str(nice), encoding="ascii")
        except BlockingIOError:  # one write in 100 ms is what the system takes from who is not root
            time.sleep(0.1)
        except OSError:
            return
        else:
            return


class _SchedAttr(ctypes.Structure):
    """``struct sched_attr`` of sched_setattr(2), its first version."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("sched_policy", ctypes.c_uint32),
        ("sched_flags", ctypes.c_uint64),
        ("sched_nice", ctypes.c_int32),
        ("sched_priority", ctypes.c_uint32),
        ("sched_runtime", ctypes.c_uint64),
        ("sched_deadline", ctypes.c_uint64),
        ("sched_period", ctypes.c_uint64),
    )


def describe_exit(code: int) -> str:
    """An exit code in words, after the name of the process."""
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
