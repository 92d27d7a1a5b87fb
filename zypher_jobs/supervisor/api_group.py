"""The whole of ``zypher api``: as many API processes as are set on one port, without Redis and workers."""

import asyncio
import socket
from collections.abc import Sequence

from zypher_jobs.settings import Settings
from zypher_jobs.supervisor.api import ApiPart
from zypher_jobs.supervisor.console import Console
from zypher_jobs.supervisor.group import Group
from zypher_jobs.supervisor.listener import bind
from zypher_jobs.supervisor.lone_api import findable
from zypher_jobs.supervisor.part import Part


def run_api(settings: Settings) -> int:
    """Serve until told to stop, drain; the exit code. Raises ``ZypherError``; then nothing is left."""
    listener = bind(settings.host, settings.port)
    try:
        with findable(settings.data_dir, settings.port):
            return asyncio.run(ApiGroup(settings, listener).run())
    finally:
        listener.close()


class ApiGroup(Group):
    """The API processes."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        super().__init__(settings, Console(settings, logs_dir=None), listener)
        self._api: list[ApiPart] = []

    async def _serve(self) -> None:
        assert self._settings.redis_url is not None
        self._console.release()
        self._api = self._api_parts(self._settings.redis_url, on_start=lambda: None)
        async with asyncio.TaskGroup() as group:
            await self._keep_running(group, self._api, timeout_s=None)

    async def _drain(self) -> None:
        self._seats.close()
        await self._stop_all(self._api)

    def _parts(self) -> Sequence[Part]:
        return self._api

    def _replaceable(self) -> Sequence[Part]:
        return self._api
