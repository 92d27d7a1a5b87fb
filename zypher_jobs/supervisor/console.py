"""Where the supervisor's words and its children's logs go.

Without a terminal: a plain line per part that is ready on stdout, and structured logs on stderr, the children's
among them. On a terminal: plain lines for people, logs in files; while the dashboard is shown, files only.
"""

import contextlib
import logging
import os
import re
import select
from collections import deque
from pathlib import Path

from zypher_jobs import logs
from zypher_jobs.settings import Settings

_logger = logging.getLogger("zypher.supervisor")
_CONTROLS = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]")
_HELD_LINES = 1000


class Console:
    """The one way out for everything that is said.

    ``logs_dir`` is where files go on a terminal; ``None`` without one.
    """

    def __init__(self, settings: Settings, *, logs_dir: Path | None) -> None:
        self._files: dict[str, _LogFile] = {}
        self._logs_dir = logs_dir
        self._shows_logs = logs_dir is None
        self._covered = False
        self._hushed = False
        self._held: deque[bytes] | None = deque(maxlen=_HELD_LINES)
        logs.configure(settings, part="supervisor")
        handler = logging.getLogger().handlers[0]
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(_Lines(self))  # pyright: ignore[reportUnknownMemberType]  # StreamHandler is generic, unknown to isinstance

    def ready(self, kind: str, text: str) -> None:
        """A part can be used."""
        self._plain(STDOUT, f"{'ready':<7}{kind:<8}{text}")

    def event(self, what: str, text: str, *, level: int = logging.INFO, about: str = "") -> None:
        """Something happened to a part: one structured line, and on a terminal a plain one."""
        extra = {"event": what, "child": about} if about else {"event": what}
        _logger.log(level, "%s", f"{about} {text}".strip(), extra=extra)
        if self._logs_dir is not None:
            self._plain(STDERR, f"{what:<7}{about + ' ' if about else ''}{text}")

    def child_line(self, name: str, line: bytes) -> None:
        """One line of a child's output; ``name`` names its log file."""
        if self._logs_dir is not None:
            self._file(name).write(line)
        if not self._shows_logs:
            return
        if self._held is not None:
            self._held.append(line)
        else:
            STDERR.line(line)

    def release(self) -> None:
        """Let the children's lines through; until now they waited, so that the lines of ready parts stand together."""
        held, self._held = self._held or (), None
        for line in held:
            STDERR.line(line)

    def hush(self) -> None:
        """The start has failed: nothing more is said here, for one sentence will say it all."""
        self._hushed = True
        self._held = None
        self._shows_logs = False

    def cover(self) -> None:
        """The dashboard owns the terminal from here on."""
        self._covered = True

    def uncover(self) -> None:
        """The terminal is ours again."""
        self._covered = False

    def show_logs(self) -> None:
        """The children's lines go to the terminal too from here on."""
        self._shows_logs = True
        self._held = None

    def structured(self, line: str) -> None:
        """One line of the supervisor's own log."""
        if self._logs_dir is None:
            if not self._hushed:
                STDERR.line(line.encode())
        else:
            self._file("supervisor").write(line.encode())

    def _plain(self, out: "Out", text: str) -> None:
        if not self._covered and not self._hushed:
            out.line(text.encode())

    def _file(self, name: str) -> "_LogFile":
        assert self._logs_dir is not None
        return self._files.setdefault(name, _LogFile(self._logs_dir / f"{name}.log"))


class _Lines:
    """The stream of the log handler."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def write(self, text: str) -> None:
        """Take one record; the handler ends it with a line feed."""
        self._console.structured(text.removesuffix("\n"))

    def flush(self) -> None:
        """Nothing waits here."""


class _LogFile:
    """A file that lines are added to; past its limit it becomes ``.1`` and a new one begins."""

    LIMIT_BYTES = 10_000_000

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, line: bytes) -> None:
        """Add one line. A full disk must not end the supervisor."""
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._path.exists() and self._path.stat().st_size > self.LIMIT_BYTES:
                self._path.replace(self._path.with_suffix(".log.1"))
            with self._path.open("ab") as file:
                file.write(line + b"\n")


class Out:
    """A descriptor to write lines to, which nobody may be able to take.

    A reader that is gone, or a terminal that has stopped, is no reason to stop serving: after a second of waiting
    lines are lost until it moves again.
    """

    _PATIENCE_S = 1.0
    _CHUNK_BYTES = 512
    """What a pipe that is ready takes at once on every system."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._stalled = False

    def line(self, line: bytes) -> None:
        """Write one line, control characters replaced."""
        self.raw(_CONTROLS.sub(b"\xef\xbf\xbd", line) + b"\n")

    def raw(self, data: bytes) -> None:
        """Write past Python's buffers."""
        with contextlib.suppress(OSError):
            while data:
                _, ready, _ = select.select([], [self._fd], [], 0 if self._stalled else self._PATIENCE_S)
                self._stalled = not ready
                if self._stalled:
                    return
                data = data[os.write(self._fd, data[: self._CHUNK_BYTES]) :]


STDOUT = Out(1)
STDERR = Out(2)
