"""``RequestLog``: one structured line for each request, written in batches.

A ``logging`` record through the JSON formatter costs 20 µs, a third of a whole synchronous prediction; a line of this
log costs 3. The shape is that of ``zypher_jobs.logs``. A killed process loses the lines of its last ``GATHER_S``.
"""

import asyncio
import io
import logging
import time
from functools import lru_cache
from typing import Any, cast

import msgspec

from zypher_jobs.logs import JsonFormatter

GATHER_S = 0.05
"""How long the first line of a batch waits for others."""

_LOGGER = "zypher.api.request"
_logger = logging.getLogger(_LOGGER)
_encode = msgspec.json.Encoder().encode


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One answered request."""

    time: str
    level: str
    """``info``, or ``warning`` for 5xx."""
    part: str
    logger: str
    message: str
    request_id: str
    method: str
    path: str
    """Percent-encoded, without the query: that may hold secrets."""
    route: str
    """Template of the route; ``(none)`` where nothing is."""
    status: int
    duration_ms: float
    prediction_id: str = ""


class RequestLog:
    """Lines on their way to the handler that ``zypher_jobs.logs.configure`` installed; without one, to ``logging``."""

    def __init__(self) -> None:
        self._lines: list[Line] = []

    def add(
        self,
        *,
        request_id: str,
        method: str,
        path: str,
        route: str,
        status: int,
        duration_s: float,
        prediction_id: str,
    ) -> None:
        """Have a line written soon, if the log's level wants it. Needs a running event loop."""
        failed = status >= 500
        if not _logger.isEnabledFor(logging.WARNING if failed else logging.INFO):
            return
        if not self._lines:
            asyncio.get_running_loop().call_later(GATHER_S, self.flush)
        self._lines.append(
            Line(
                time=_rfc3339(time.time()),
                level="warning" if failed else "info",
                part="api",
                logger=_LOGGER,
                message=f"{method} {path} {status}",
                request_id=request_id,
                method=method,
                path=path,
                route=route,
                status=status,
                duration_ms=round(duration_s * 1000, 3),
                prediction_id=prediction_id,
            )
        )

    def flush(self) -> None:
        """Write all lines now."""
        lines, self._lines = self._lines, []
        if not lines:
            return
        handler = _json_handler()
        if handler is None:
            for line in lines:
                fields = {
                    name: value for name, value in msgspec.structs.asdict(line).items() if name not in _OF_LOGGING
                }
                _logger.log(logging.WARNING if line.status >= 500 else logging.INFO, line.message, extra=fields)
            return
        text = b"\n".join(map(_encode, lines)).decode() + "\n"
        handler.acquire()
        try:
            handler.stream.write(text)
            handler.flush()
        finally:
            handler.release()


_OF_LOGGING = frozenset({"time", "level", "part", "logger", "message"})


def _json_handler() -> "logging.StreamHandler[io.TextIOBase] | None":
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and isinstance(handler.formatter, JsonFormatter):
            return cast("logging.StreamHandler[Any]", handler)
    return None


def _rfc3339(unix_s: float) -> str:
    second = int(unix_s)
    return f"{_to_second(second)}.{int((unix_s - second) * 1000):03d}Z"


@lru_cache(maxsize=2)
def _to_second(unix_s: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(unix_s))
