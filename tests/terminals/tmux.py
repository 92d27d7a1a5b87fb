"""A process in a real tmux: keys go in and screens come out as a person there would have them."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

TMUX = shutil.which("tmux")
"""Where it is, if it is installed."""
LOOK_EVERY_S = 0.05


class Tmux:
    """Runs a command in a tmux of its own, without configuration and status line; used as ``Terminal`` is."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = 120,
        rows: int = 36,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="zypher-tmux-")
        self._socket = Path(self._directory.name) / "socket"
        self._environment = os.environ | {"TERM": "xterm-256color"} | dict(environment or {})
        for name in ("TMUX", "COLUMNS", "LINES", "COLORTERM"):
            self._environment.pop(name, None)
        settings = ("default-terminal tmux-256color", "status off", "escape-time 0", "remain-on-exit on")
        words = ["start-server", ";"]
        for setting in settings:
            words += ["set-option", "-g", *setting.split(), ";"]
        self._tmux(*words, "new-session", "-d", "-x", str(columns), "-y", str(rows), "--", *command)

    @property
    def text(self) -> str:
        """What stands on the screen."""
        return self._tmux("capture-pane", "-p").rstrip("\n")

    def wait(self, seen: Callable[[str], bool], *, timeout_s: float = 30.0) -> float:
        """Until the screen's text is like that; when (``perf_counter``) that was. Raises ``TimeoutError``."""
        deadline_s = time.perf_counter() + timeout_s
        while not seen(text := self.text):
            if self._has_ended or time.perf_counter() > deadline_s:
                raise TimeoutError(f"not seen on this screen:\n{text}")
            time.sleep(LOOK_EVERY_S)
        return time.perf_counter()

    def type(self, keys: bytes | str) -> None:
        """Press keys."""
        data = keys.encode() if isinstance(keys, str) else keys
        self._tmux("send-keys", "-H", *(f"{byte:02x}" for byte in data))

    def close(self) -> None:
        """Leave nothing behind."""
        if not self._has_ended:
            os.kill(int(self._tmux("display-message", "-p", "#{pane_pid}")), signal.SIGKILL)
        self._tmux("kill-server")
        self._directory.cleanup()

    @property
    def _has_ended(self) -> bool:
        return self._tmux("display-message", "-p", "#{pane_dead}").strip() == "1"

    def _tmux(self, *words: str) -> str:
        ran = subprocess.run(
            ["tmux", "-S", str(self._socket), "-f", "/dev/null", *words],
            env=self._environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=True,
        )  # fmt: skip
        return ran.stdout
