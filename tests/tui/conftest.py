"""The dashboard without a terminal: its screen as plain text, and golden screens of it."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SCREENS = Path(__file__).parent / "screens"


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is UTC: screens show it."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compares a screen with the one kept under ``screens/``; ``UPDATE_SCREENS=1`` keeps the new one."""

    def check(name: str, screen: str) -> None:
        kept = SCREENS / f"{name}.txt"
        if os.environ.get("UPDATE_SCREENS"):
            SCREENS.mkdir(exist_ok=True)
            kept.write_text(screen + "\n", encoding="utf-8")
        assert screen + "\n" == kept.read_text(encoding="utf-8"), (
            f"{kept.name} differs; UPDATE_SCREENS=1 keeps this one"
        )

    return check
