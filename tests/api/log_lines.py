"""The structured lines that a logger writes, while a block lasts."""

import io
import json
import logging
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from zypher_jobs.logs import JsonFormatter
from zypher_jobs.testing import wait_until

REQUESTS = "zypher.api.request"
ATTEMPTS = "zypher.worker.attempt"


class LogLines:
    """What was written so far."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def all(self) -> list[dict[str, Any]]:
        """Oldest first."""
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    async def line(self, **members: Any) -> dict[str, Any]:
        """The first line with these members, once it is there: lines are written in batches."""

        def found() -> dict[str, Any] | None:
            return next((line for line in self.all if members.items() <= line.items()), None)

        line = await wait_until(found)
        assert line is not None
        return line


@contextmanager
def log_lines(name: str = REQUESTS) -> Generator[LogLines]:
    """Those of one logger."""
    lines = LogLines()
    handler = logging.StreamHandler(lines.stream)
    handler.setFormatter(JsonFormatter("test"))
    logger = logging.getLogger(name)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
