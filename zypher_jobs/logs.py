"""Structured logs: one JSON object per line on stderr, the same shape from every part."""

import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

import msgspec

from zypher_jobs.settings import Settings

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
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
