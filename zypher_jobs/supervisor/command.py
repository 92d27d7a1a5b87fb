"""One of our own commands as a part: the API or a worker."""

import os
import sys
from collections.abc import Awaitable, Callable, Sequence

from zypher_jobs.errors import SettingError, ZypherError
from zypher_jobs.settings import Settings
from zypher_jobs.supervisor.child import Child, Reaper
from zypher_jobs.supervisor.console import Console
from zypher_jobs.supervisor.part import Part, Running
from zypher_jobs.supervisor.probes import worker_is_alive

WRONG_SETTINGS = 2
"""Exit code of a child that was told something it cannot do: starting it again cannot help."""
_REPLACES = "--replaces"

Look = Callable[[Settings, str, int], Awaitable[str | None]]
"""Settings, Redis URL and process id → what to say of a part once it is ready."""


class CommandPart(Part):
    """A part that is one of our own commands: the API or a worker."""

    def __init__(
        self,
        kind: str,
        which: str,
        *,
        settings: Settings,
        redis_url: str,
        look: Look,
        reaper: Reaper,
        console: Console,
        on_start: Callable[[], None],
    ) -> None:
        super().__init__(kind, which, console=console, on_start=on_start)
        self._settings = settings
        self._redis_url = redis_url
        self._look = look
        self._reaper = reaper
        self._log_name = self.name.partition(" of ")[0].replace(" ", "-")

    def start(self, *, replaces: bool = False) -> Running:
        """Start ``zypher <kind>`` as a child that ends with us."""
        return self._child([_REPLACES] if replaces else [])

    async def look(self, process: Running) -> str | None:
        """As the kind's own function says."""
        return await self._look(self._settings, self._redis_url, process.pid)

    def refusal(self, code: int, last_line: str) -> ZypherError | None:
        """With wrong settings it will never run."""
        return SettingError(last_line or f"{self.name} was given wrong settings.") if code == WRONG_SETTINGS else None

    def _child(
        self, options: Sequence[str], *, pass_fds: Sequence[int] = (), on_end: Callable[[], None] | None = None
    ) -> Child:
        return Child(
            [*command(self.kind), "--exit-with-parent", *options],
            environ=child_environ(self._redis_url),
            on_line=lambda line: self._console.child_line(self._log_name, line),
            reaper=self._reaper,
            pass_fds=pass_fds,
            on_end=on_end,
        )


async def worker_look(settings: Settings, redis_url: str, pid: int) -> str | None:
    """Ready once its heartbeat is seen."""
    alive = await worker_is_alive(redis_url, pid)
    return f"{settings.concurrency} predictions at once, pid {pid}" if alive else None


def command(name: str) -> list[str]:
    """The command line of ``zypher <name>`` under this Python; a ``redis.py`` lying about here cannot shadow ours."""
    return [sys.executable, "-P", "-m", "zypher_jobs.cli", name]


def child_environ(redis_url: str) -> dict[str, str]:
    """Our environment, with the Redis that is used; what a model prints shows at once."""
    return {**os.environ, "ZYPHER_REDIS_URL": redis_url, "PYTHONUNBUFFERED": "1"}
