"""The dashboard in the foreground: a child on our own terminal, which is put back in order whatever it does."""

import asyncio
import contextlib
import os
import subprocess
import sys
import termios

from zypher_jobs.supervisor.child import Reaper
from zypher_jobs.supervisor.command import child_environ, command
from zypher_jobs.supervisor.console import STDOUT

_LEAVE_FULL_SCREEN = b"\x1b[?1049l\x1b[?1000;1002;1003;1006;1015;2004;2026l\x1b[<u\x1b[?25h\x1b[0m"
"""Back to the first screen; no mouse, paste, synchronized-output or keyboard modes; a cursor; plain text."""


def has_terminal() -> bool:
    """Whether someone sits in front of a terminal that can show the dashboard."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


class Dashboard:
    """``zypher tui`` as a process of its own: its crash is not ours, and its work does not delay ours."""

    def __init__(self, *, api_url: str, redis_url: str, reaper: Reaper) -> None:
        self._modes = termios.tcgetattr(0)
        self._code = 0
        self._ended = asyncio.Event()
        self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
            [*command("tui"), "--api-url", api_url], env=child_environ(redis_url)
        )
        reaper.watch(self._process.poll, self._end)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def wait(self) -> int:
        """The exit code, once it has ended and the terminal is in order again."""
        await self._ended.wait()
        return self._code

    async def stop(self, *, timeout_s: float) -> None:
        """End it, by force after ``timeout_s``."""
        if not self._ended.is_set():
            self._process.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._ended.wait()
        if not self._ended.is_set():
            self._process.kill()
            await self._ended.wait()

    def kill(self) -> None:
        """End it at once."""
        if not self._ended.is_set():
            self._process.kill()

    def _end(self, code: int) -> None:
        with contextlib.suppress(termios.error):
            # at once, not after pending output: a terminal that has stopped would never take it
            termios.tcsetattr(0, termios.TCSANOW, self._modes)
            if code != 0:
                STDOUT.raw(_LEAVE_FULL_SCREEN)
                termios.tcflush(0, termios.TCIFLUSH)  # keys and answers that were meant for it
        self._code = code
        self._ended.set()
