"""Every key of the dashboard is pressed where it works, over a real API, Valkey and worker, and does what it says."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.process.stack import Up
from tests.tui.keys.scenes import SCENES
from tests.tui.keys.stage import PATIENCE_S, deploy, play, staged
from zypher_jobs.testing import free_port, wait_until
from zypher_tui.app import Dashboard
from zypher_tui.keymap import actions
from zypher_tui.opening import openers_of

ROOT = Path(__file__).parents[2]
ELSEWHERE = {
    "TroubleDialog.copy-the-command": "test_c_copies_the_way_out_of_trouble",
    "Controls.draw-all-again": "test_what_another_program_wrote_is_drawn_over",
}
"""With no stack that works, or on a real terminal (tests/process/test_slow_link.py)."""


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One stack for all, with models that fail, wait, are tried again, and are deployed."""
    models = ",".join(f"tests.tui.keys.models:{name}" for name in ("Picky", "Waits", "Falters"))
    stack = Up(tmp_path_factory.mktemp("up"), workers=1, models=models)
    stack.environ["PYTHONPATH"] = str(ROOT)

    async def start() -> None:
        await stack.start_and_wait()
        async with httpx.AsyncClient(base_url=stack.url, timeout=PATIENCE_S) as client:
            await deploy(client)

    asyncio.run(start())
    yield stack
    stack.kill_everything()


def test_no_key_is_forgotten() -> None:
    """Whoever adds a key says what is seen of it."""
    there = {f"{owner.__name__}.{action.name}" for action in actions().values() for owner in action.owners}
    tried = {one.name for tries in SCENES.values() for one in tries} | {*ELSEWHERE}
    missing = sorted(there - tried)
    assert not missing, (
        f"Nobody presses {', '.join(missing)}: a row in tests/tui/keys/scenes.py says where that key works, and what "
        "is seen of it there."
    )
    assert not (gone := sorted(tried - there)), f"There is no {', '.join(gone)} any more: take its row away."


@pytest.mark.parametrize("scene", SCENES)
async def test_each_key_does_what_it_says(scene: str, up: Up, tmp_path: Path) -> None:
    """On its screen; what it did is in the audit log."""
    async with staged(up, tmp_path) as stage:
        await play(stage, SCENES[scene])


async def test_c_copies_the_way_out_of_trouble() -> None:
    """Where there is one."""
    url = f"http://127.0.0.1:{free_port()}"
    dashboard = Dashboard(openers_of(url, None), api_url=url, interval_s=0.05)
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await wait_until(lambda: bool(dashboard.absence.troubles))
        await pilot.press("exclamation_mark", "c")
        await wait_until(lambda: "zypher" in dashboard.clipboard)
