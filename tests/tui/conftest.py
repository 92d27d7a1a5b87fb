"""What all tests of the dashboard have."""

import time
from collections.abc import Iterator

import pytest

from zypher_tui.palette import palette
from zypher_tui.themes import DARK


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is UTC: screens show it."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(autouse=True)
def usual_colours() -> Iterator[None]:
    """What a test chose is chosen for itself only: the palette is the process's."""
    yield
    palette.use(DARK)
