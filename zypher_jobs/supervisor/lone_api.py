"""How ``zypher reload`` finds a ``zypher api`` that runs alone: by a file in the data directory, locked while it runs.

The lock goes with its process, however that ends. The file names the host, too: a directory may be shared by
containers, and a process id means nothing in another one. Where the directory cannot be written, it is not found.
"""

import fcntl
import os
import re
import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from zypher_jobs.supervisor.data_dir import try_lock


class LoneApi(msgspec.Struct, frozen=True, kw_only=True):
    """One that runs."""

    port: int
    pid: int
    host: str


@contextmanager
def findable(data_dir: Path, port: int) -> Generator[None]:
    """The supervisor that calls it is found while the block lasts."""
    fd, is_ours, path = None, False, data_dir / f"api-{port}.json"
    with suppress(OSError):
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if is_ours := try_lock(fd, fcntl.LOCK_EX):  # else one listens on the same port of another address
            facts = LoneApi(port=port, pid=os.getpid(), host=socket.gethostname())
            os.ftruncate(fd, 0)
            os.pwrite(fd, msgspec.json.encode(facts) + b"\n", 0)
    try:
        yield
    finally:
        if fd is not None:
            if is_ours:
                path.unlink(missing_ok=True)
            os.close(fd)


def lone_apis(data_dir: Path) -> list[LoneApi]:
    """Those that run on this machine with the data directory, by port."""
    found: list[LoneApi] = []
    for path in data_dir.glob("api-*.json"):
        with suppress(OSError, msgspec.DecodeError):
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if re.fullmatch(r"api-\d+\.json", path.name) and not try_lock(fd, fcntl.LOCK_SH):
                    found.append(msgspec.json.decode(os.pread(fd, 4096, 0), type=LoneApi))
            finally:
                os.close(fd)
    return sorted((each for each in found if each.host == socket.gethostname()), key=lambda each: each.port)
