"""Golden screens: what the dashboard shows, beside what is kept under ``screens/``."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.tui.screen import stands_still
from zypher_jobs.testing import wait_until

SCREENS = Path(__file__).parent / "screens"


async def golden(name: str, shown: Callable[[], str]) -> None:
    """Compares what is shown, once it stands still, with what is kept; ``UPDATE_SCREENS=1`` keeps the new one."""
    await stands_still(shown)
    kept = SCREENS / f"{name}.txt"
    if os.environ.get("UPDATE_SCREENS"):
        SCREENS.mkdir(exist_ok=True)
        kept.write_text(shown() + "\n", encoding="utf-8")
    wanted = kept.read_text(encoding="utf-8")
    with suppress(TimeoutError):  # on a busy machine something may come after it had stood still
        await wait_until(lambda: shown() + "\n" == wanted, timeout_s=3)
    assert shown() + "\n" == wanted, f"{kept.name} differs; UPDATE_SCREENS=1 keeps this one"
