"""Key 5: dead letters by the kind of their error. What stands on the screen, and what its keys do to the real thing."""

import msgspec
import pytest

from tests.api.running import RunningApi, running_worker
from tests.tui.acting import dashboard_on, failed, said
from tests.tui.screen import screen_text
from zypher_jobs.contracts.prediction import DeadLetterGroup, PredictionFailure
from zypher_jobs.settings import Settings
from zypher_jobs.testing import wait_until
from zypher_tui.app import Dashboard
from zypher_tui.core.letters import filter_of
from zypher_tui.core.rows import at_of
from zypher_tui.demo_states import demo_dashboard
from zypher_tui.opening import openers_of
from zypher_tui.widgets.letters import GroupTable, LetterTable


@pytest.fixture
def api_settings(settings: Settings) -> Settings:
    """A model that fails."""
    return msgspec.structs.replace(settings, models=("tests.api.models:Raises",))


def letters_of(dashboard: Dashboard) -> int:
    """How many letters are listed."""
    return len(dashboard.query_one("#letters", LetterTable).rows)


async def test_keys_lead_to_one_to_all_of_the_kind_and_to_the_last_good_one() -> None:
    """The letters are those of the kind under the cursor."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await wait_until(lambda: dashboard.feeds.is_reading)
        await pilot.press("5")
        kinds = dashboard.query_one("#kinds", GroupTable)
        await wait_until(lambda: kinds.selected is not None and letters_of(dashboard) == kinds.selected.count)
        await pilot.press("down")
        await wait_until(lambda: kinds.selected is not None and letters_of(dashboard) == kinds.selected.count)
        group = kinds.selected
        assert group is not None
        await pilot.press("enter")
        await said(dashboard, group.newest_id)
        await pilot.press("escape", "l")
        await said(dashboard, group.last_good_id or "none")
        await pilot.press("escape", "f")
        await said(dashboard, f"model:{group.model} fingerprint:")


async def test_a_kind_is_replayed_and_dropped(api: RunningApi) -> None:
    """``r`` tries the newest, ``R`` all; what is left is dropped with its number, and then nothing is there."""
    async with running_worker(api):
        await failed(api, 3)
        async with dashboard_on(api.settings) as (dashboard, pilot):
            await pilot.press("5")
            await wait_until(lambda: letters_of(dashboard) == 3)
            await pilot.press("R")
            await said(dashboard, "The server counts 3 that can be replayed.")
            await pilot.press("y")
            await said(dashboard, "Replayed 3 predictions.")
            await wait_until(lambda: letters_of(dashboard) == 3)
            await pilot.press("r")
            await said(dashboard, ": the new one is ")
            await wait_until(api.services.queue.inspect.dead_letters)
            await pilot.press("D")
            await said(dashboard, "press enter")
            number = screen_text(dashboard).split("type ")[1].split(" ")[0]
            await pilot.press(*number, "enter")
            await said(dashboard, f"Dropped {number} predictions.")
            await said(dashboard, "Nothing failed for good.")


async def test_redis_alone_shows_them_too(api: RunningApi) -> None:
    """Marked as such; nothing can be done to them from there."""
    async with running_worker(api):
        await failed(api, 2)
    assert api.settings.redis_url is not None
    url = "http://127.0.0.1:9"
    dashboard = Dashboard(openers_of(url, api.settings.redis_url), api_url=url, interval_s=0.05)
    async with dashboard.run_test(size=(120, 36), notifications=True) as pilot:
        await wait_until(lambda: dashboard.view.has_figures)
        await pilot.press("5")
        await said(dashboard, "Dead letters · 2 · from Redis")
        await pilot.press("R")
        await said(dashboard, "Acting needs the API")


async def test_hostile_errors_leave_the_screen_intact(api: RunningApi) -> None:
    """Escapes, markup, wide and turned characters in the message."""
    async with running_worker(api):
        await failed(api, 1, text="\x1b]0;owned\x07 [/red] \u202e 模型")
        async with dashboard_on(api.settings) as (dashboard, pilot):
            await pilot.press("5")
            await said(dashboard, "[/red]")
            assert not {"\x1b", "\x07", "\u202e"} & set(screen_text(dashboard))


def test_only_a_kind_that_a_filter_can_name_has_one() -> None:
    """A name with a star or a space would mean others."""
    at = at_of(0)
    group = DeadLetterGroup(
        fingerprint="0123456789ab", model="m@1", error=PredictionFailure(code="c", message="m"), count=1, first_at=at,
        last_at=at, newest_id="x",
    )  # fmt: skip
    assert filter_of(group) == "status:failed model:m@1 fingerprint:0123456789ab"
    for other in ({"model": "m*"}, {"model": "a b"}, {"fingerprint": ""}):
        assert filter_of(msgspec.structs.replace(group, **other)) is None
