"""Log lines that do not go through ``logging``'s records."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from zypher_jobs.logs import JsonFormatter, Line, LineLog
from zypher_jobs.testing import wait_until

LOGGER = "zypher.test"


class Said(Line, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    what: str
    by: str = ""


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What reaches the handler that ``configure`` would have installed."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter("test"))
    root, logger = logging.getLogger(), logging.getLogger(LOGGER)
    root.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield stream
    root.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


def said(log: LineLog, what: str) -> Said:
    """One line."""
    return Said(time=log.now(), level="info", part="test", logger=LOGGER, message="said", what=what)


async def test_lines_are_written_together_soon(written: io.StringIO) -> None:
    """One object per line, in the formatter's shape; what is not known is left out."""
    log = LineLog(LOGGER)
    log.add(said(log, "a"), logging.INFO)
    log.add(said(log, "b"), logging.INFO)
    assert written.getvalue() == ""
    await wait_until(lambda: written.getvalue() != "")
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [list(line) for line in lines] == [["time", "level", "part", "logger", "message", "what"]] * 2
    assert [line["what"] for line in lines] == ["a", "b"]
    log.flush()
    assert written.getvalue().count("\n") == 2


@pytest.mark.parametrize("control", ["\x00", "\x1b", "\n", "\x7f", "\x85", "\x9b"])
async def test_no_control_character_is_written_raw(written: io.StringIO, control: str) -> None:
    """DEL and the C1 controls too, which JSON would let through; other text stays as it is."""
    log = LineLog(LOGGER)
    log.add(said(log, f"é{control}漢"), logging.INFO)
    log.flush()
    text = written.getvalue().removesuffix("\n")
    assert control not in text
    assert "é" in text
    assert json.loads(text)["what"] == f"é{control}漢"


async def test_without_that_handler_lines_go_to_logging(caplog: pytest.LogCaptureFixture) -> None:
    """In a program that embeds a part and logs in its own way."""
    caplog.set_level(logging.INFO, LOGGER)
    log = LineLog(LOGGER)
    assert log.wants(logging.INFO)
    assert not log.wants(logging.DEBUG)
    log.add(said(log, "a"), logging.WARNING)
    log.flush()
    (record,) = caplog.records
    assert (record.levelno, record.getMessage(), vars(record)["what"]) == (logging.WARNING, "said", "a")
