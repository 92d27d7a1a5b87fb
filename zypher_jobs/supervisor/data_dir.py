"""The data directory: one Zypher at a time uses it, and the others find that one in it."""

import contextlib
import fcntl
import os
import secrets
import time
from pathlib import Path

import msgspec

from zypher_jobs.errors import StartError

LOCK_NAME = "lock"
RUN_NAME = "run.json"
LOGS_NAME = "logs"
LOCAL_KEY_NAME = "local-key"
LOCAL_KEY = "zk_local_"
_LEFTOVER_WAIT_S = 5.0
"""How long parts of a killed Zypher may take to notice and end."""


class RunFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What ``run.json`` says of the Zypher that uses the directory; rewritten whenever a part starts."""

    pid: int
    version: str
    api_url: str
    redis_url: str | None
    """The embedded server's. ``None`` with ``ZYPHER_REDIS_URL`` set: that one may hold a password."""
    pids: dict[str, int]
    """Part → process id, such as ``"worker 1 of 2"``."""


class DataDir:
    """The lock and ``run.json`` of one data directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock_fd: int | None = None

    @property
    def lock_fd(self) -> int:
        """The lock's descriptor. A process that inherits it holds the lock too."""
        if self._lock_fd is None:
            raise RuntimeError("the data directory was not acquired")
        return self._lock_fd

    def acquire(self) -> None:
        """Make the directory and lock it for this process.

        Waits for what a killed Zypher left to end; raises ``StartError`` when someone else uses it or it cannot be
        written.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(self.path / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                self._lock(fd)
            except BaseException:
                os.close(fd)
                raise
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise StartError(
                f"The data directory {self.path} cannot be used: {reason}; set ZYPHER_DATA_DIR."
            ) from error
        self._lock_fd = fd

    def release(self) -> None:
        """Remove ``run.json`` and give the lock up; the directory is free from here on."""
        if self._lock_fd is not None:
            (self.path / RUN_NAME).unlink(missing_ok=True)
            os.close(self._lock_fd)
            self._lock_fd = None

    def write_run(self, facts: RunFacts) -> None:
        """Replace ``run.json`` at once, so that a reader never sees half of it."""
        draft = self.path / f"{RUN_NAME}.new"
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(facts)) + b"\n")
        draft.replace(self.path / RUN_NAME)

    def make_local_token(self) -> None:
        """A key for whoever may read this directory: with it this machine's dashboard and commands call the API."""
        draft = self.path / f"{LOCAL_KEY_NAME}.new"
        draft.unlink(missing_ok=True)
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w") as file:
            file.write(f"{LOCAL_KEY}{secrets.token_hex(24)}\n")
        draft.replace(self.path / LOCAL_KEY_NAME)

    def local_token(self) -> str | None:
        """That key, if there is one and nobody else may read it."""
        try:
            with (self.path / LOCAL_KEY_NAME).open(encoding="ascii") as file:
                is_private = os.fstat(file.fileno()).st_mode & 0o077 == 0
                text = file.read(256).strip()
        except (OSError, UnicodeDecodeError):
            return None
        return text if is_private and text.startswith(LOCAL_KEY) else None

    def left_behind(self) -> RunFacts | None:
        """``run.json`` as it lies there, of whichever run."""
        with contextlib.suppress(OSError, msgspec.DecodeError):
            return msgspec.json.decode((self.path / RUN_NAME).read_bytes(), type=RunFacts)
        return None

    def running(self) -> RunFacts | None:
        """The Zypher that uses the directory now; ``None`` when there is none, a stale ``run.json`` or not."""
        facts = self.left_behind()
        return facts if facts is not None and is_alive(facts.pid) and self.is_locked() else None

    def is_locked(self) -> bool:
        """Whether any process holds the lock."""
        try:
            fd = os.open(self.path / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            return not try_lock(fd, fcntl.LOCK_SH)
        finally:
            os.close(fd)

    def _lock(self, fd: int) -> None:
        deadline = time.monotonic() + _LEFTOVER_WAIT_S
        while not try_lock(fd, fcntl.LOCK_EX):
            holder = _read_pid(fd)
            alive = holder is not None and is_alive(holder)
            if alive or time.monotonic() > deadline:
                raise StartError(self._in_use(holder if alive else None))
            time.sleep(0.02)
        os.ftruncate(fd, 0)
        os.pwrite(fd, b"%d\n" % os.getpid(), 0)

    def _in_use(self, holder: int | None) -> str:
        if holder is not None:
            return (
                f"The data directory {self.path} is in use by another Zypher (pid {holder}); "
                f"stop it or set ZYPHER_DATA_DIR."
            )
        facts = self.left_behind()
        leftover = facts.pids.get("redis") if facts else None
        which = f" (pid {leftover})" if leftover and is_alive(leftover) else ""
        return (
            f"The data directory {self.path} is in use by the server of a Zypher that was killed{which}; "
            f"end that process or set ZYPHER_DATA_DIR."
        )


def is_alive(pid: int) -> bool:
    """Whether a process with that id exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def try_lock(fd: int, kind: int) -> bool:
    """Lock a file now, as ``flock`` has it, or not at all."""
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read_pid(fd: int) -> int | None:
    text = os.pread(fd, 32, 0).strip()
    return int(text) if text.isdigit() else None
