"""Everything that can be wrong before anything is started; each check raises one sentence with the way out."""

import asyncio
import socket
import subprocess
import time
from urllib.parse import urlsplit

from zypher_jobs.errors import RedisUnavailable, StartError
from zypher_jobs.queue.embedded import find_server_binary
from zypher_jobs.settings import Settings
from zypher_jobs.supervisor.data_dir import DataDir, is_alive
from zypher_jobs.supervisor.listener import bind
from zypher_jobs.tracing import is_wanted

_PORT_WAIT_S = 5.0
"""How long a killed Zypher's API may take to notice and let go of the port."""
_REDIS_WAIT_S = 3.0
"""A Redis that is being started at the same time gets this long."""


def preflight(settings: Settings) -> tuple[DataDir, socket.socket]:
    """Check all. When this returns, this process has locked the data directory and listens. Raises ``ZypherError``."""
    is_wanted(settings)
    data_dir = DataDir(settings.data_dir)
    data_dir.acquire()
    try:
        listener = _await_port(settings, data_dir)
    except BaseException:
        data_dir.release()
        raise
    try:
        if settings.redis_url is None:
            embedded_version()
        else:
            _await_redis(settings.redis_url, timeout_s=settings.redis_timeout_s)
    except BaseException:
        listener.close()
        data_dir.release()
        raise
    return data_dir, listener


def embedded_version() -> str:
    """Name and version of the server that would be started, such as ``Valkey 9.1.2``; raises ``StartError``."""
    binary = find_server_binary()
    try:
        # it says such as: Valkey server v=9.1.2 sha=00000000:1 malloc=libc bits=64
        shown = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout  # noqa: S603
        name, _, version, *_ = shown.split()
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise StartError(
            f"The Redis-compatible server {binary} does not run here; install valkey-server or redis-server, "
            f"or set ZYPHER_REDIS_URL."
        ) from error
    return f"{name} {version.removeprefix('v=')}"


def mask_url(url: str) -> str:
    """A Redis URL that may be shown: without user and password, and without parameters."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "***"
    return f"{parts.scheme}://{'***@' if '@' in parts.netloc else ''}{parts.hostname or ''}{port}{parts.path}"


def _await_port(settings: Settings, data_dir: DataDir) -> socket.socket:
    """As ``bind``, but the API of a Zypher that was killed a moment ago may still be about to end."""
    facts = data_dir.left_behind()
    leftovers = [pid for name, pid in facts.pids.items() if name.startswith("api")] if facts else []
    deadline = time.monotonic() + _PORT_WAIT_S
    while True:
        try:
            return bind(settings.host, settings.port)
        except StartError:
            if not any(map(is_alive, leftovers)) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _await_redis(url: str, *, timeout_s: float) -> None:
    # imported here: redis-py takes 0.15 s that a start with the embedded server need not wait for
    from zypher_jobs.queue.probe import probe  # noqa: PLC0415

    deadline = time.monotonic() + _REDIS_WAIT_S
    while True:
        try:
            asyncio.run(probe(url, timeout_s=timeout_s))
        except RedisUnavailable as error:
            if time.monotonic() > deadline or "refuses" in error.message:
                raise StartError(
                    f"{error.message.removesuffix('.')} ({mask_url(url)}); start it or correct ZYPHER_REDIS_URL, "
                    f"or unset that to use the embedded server."
                ) from error
            time.sleep(0.1)
        else:
            return
