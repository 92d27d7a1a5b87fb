"""Structured logs: one JSON object per line on stderr, the same shape from every part."""

import asyncio
import logging
import sys
import time
import traceback
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, cast

import msgspec

from zypher_jobs.settings import Settings

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
GATHER_S = 0.05
"""How long the first line of a batch waits for others."""

_encoder = msgspec.json.Encoder(enc_hook=str)


class JsonFormatter(logging.Formatter):
    """``{"time", "level", "part", "logger", "message", …extra}``; ``extra`` of the call becomes members.

    JSON escapes control characters, so nothing a caller sent reaches a terminal raw.
    """

    def __init__(self, part: str) -> None:
        super().__init__()
        self._part = part

    def format(self, record: logging.LogRecord) -> str:
        """One line, without a line feed."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "part": self._part,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {key: value for key, value in vars(record).items() if key not in _PLAIN}
        if record.exc_info and record.exc_info[0] is not None:
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        return _ascii_controls(_encoder.encode(line).decode())


def _ascii_controls(text: str) -> str:
    """Escape DEL and the C1 controls, which JSON lets through and some terminals obey."""
    return text if text.isascii() and "\x7f" not in text else text.translate(_CONTROLS)


_CONTROLS = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What every line begins with, in ``JsonFormatter``'s shape; a line of its own kind adds members."""

    time: str
    level: str
    part: str
    logger: str
    message: str


class LineLog:
    """Lines made of Structs and written in batches, for what happens thousands of times a second.

    A ``logging`` record through the formatter costs 20 µs, a line of this 3. Lines go to the handler that ``configure``
    installed; without one, to ``logging``. A killed process loses those of its last ``GATHER_S``.
    """

    def __init__(self, logger: str) -> None:
        self._logger = logging.getLogger(logger)
        self._lines: list[tuple[Line, int]] = []

    def wants(self, level: int) -> bool:
        """Whether a line of that level would be written."""
        return self._logger.isEnabledFor(level)

    def now(self) -> str:
        """The time of a line."""
        unix_s = time.time()
        second = int(unix_s)
        return f"{_to_second(second)}.{int((unix_s - second) * 1000):03d}Z"

    def add(self, line: Line, level: int) -> None:
        """Have it written soon. Needs a running event loop."""
        if not self._lines:
            asyncio.get_running_loop().call_later(GATHER_S, self.flush)
        self._lines.append((line, level))

    def flush(self) -> None:
        """Write all lines now."""
        lines, self._lines = self._lines, []
        if not lines:
            return
        handler = _json_handler()
        if handler is None:
            for line, level in lines:
                fields = {name: value for name, value in msgspec.to_builtins(line).items() if name not in _SHAPE}
                self._logger.log(level, line.message, extra=fields)
            return
        text = _ascii_controls(b"\n".join([_encoder.encode(line) for line, _ in lines]).decode())
        handler.acquire()
        try:
            handler.stream.write(f"{text}\n")
            handler.flush()
        finally:
            handler.release()


_SHAPE = frozenset(Line.__struct_fields__)


def _json_handler() -> "logging.StreamHandler[Any] | None":
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and isinstance(handler.formatter, JsonFormatter):
            return cast("logging.StreamHandler[Any]", handler)
    return None


@lru_cache(maxsize=2)
def _to_second(unix_s: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(unix_s))


def configure(settings: Settings, *, part: str) -> None:
    """Send every logger of this process through one JSON handler on stderr at ``settings.log_level``."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(part))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    level = settings.log_level.upper()
    for name in ("zypher", "uvicorn.error"):
        logging.getLogger(name).setLevel(level)
