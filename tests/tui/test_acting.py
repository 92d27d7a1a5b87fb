"""Acting from the dashboard: each key against a real API, server and worker, and what keeps it from acting."""

import msgspec
import pytest
from textual.widgets import Input

from tests.api.running import RunningApi, running_worker
from tests.api.test_keys import bearer, made
from tests.tui.acting import dashboard_on, failed, known, said, statuses, waiting
from tests.tui.screen import screen_text
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.settings import Settings
from zypher_jobs.testing import free_port, wait_until
from zypher_tui.app import Dashboard
from zypher_tui.opening import openers_of
from zypher_tui.sources.operator import ApiOperator

ASYNC = {"Async-Mode": "true"}


@pytest.fixture
def api_settings(settings: Settings) -> Settings:
    """A model that waits for the test and one that fails."""
    return msgspec.structs.replace(settings, models=("tests.api.models:Gate", "tests.api.models:Raises"))


async def test_x_cancels_the_one_under_the_cursor(api: RunningApi) -> None:
    """At once, without a question; the list shows it."""
    (prediction_id,) = await waiting(api)
    async with dashboard_on(api.settings) as (dashboard, pilot):
        await known(dashboard, 1, Status.QUEUED)
        await pilot.press("x")
        await said(dashboard, f"Canceled {prediction_id[:8]}.")
        await known(dashboard, 1, Status.CANCELED)
        assert (await api.get(f"/predict/{prediction_id}")).json()["status"] == "canceled"
        await pilot.press("x")
        await said(dashboard, f"Canceled {prediction_id[:8]}.")


async def test_r_replays_the_one_under_the_cursor_and_asks_before_it_does_so_again(api: RunningApi) -> None:
    """The new one is in the list; the same key on the old one says what came of it before."""
    async with running_worker(api):
        (prediction_id,) = await failed(api)
        async with dashboard_on(api.settings) as (dashboard, pilot):
            await known(dashboard, 1, Status.FAILED)
            await pilot.press("r")
            await said(dashboard, f"Replayed {prediction_id[:8]}: the new one is ")
            await known(dashboard, 2, Status.FAILED)
            await pilot.press("end", "r")
            await said(dashboard, "It was replayed from here before, as ")
            await pilot.press("enter")
            await pilot.pause()
            assert "Replay 1 prediction?" not in screen_text(dashboard)
            assert len((await api.get("/predictions")).json()["predictions"]) == 2


async def test_marks_are_what_keys_act_on(api: RunningApi) -> None:
    """Small letters too, after a question; ``n`` leaves them, ``y`` does it."""
    ids = await waiting(api, 3)
    async with dashboard_on(api.settings) as (dashboard, pilot):
        await known(dashboard, 3, Status.QUEUED)
        await pilot.press("space", "space", "x")
        await said(dashboard, "The server counts 2 that can be canceled.")
        await pilot.press("n")
        assert await statuses(api, ids) == ["queued"] * 3
        await pilot.press("x")
        await said(dashboard, "y  yes, cancel them")
        await pilot.press("y")
        await said(dashboard, "Canceled 2 predictions.")
        await known(dashboard, 2, Status.CANCELED)
        assert sorted(await statuses(api, ids)) == ["canceled", "canceled", "queued"]


async def test_a_thousand_that_the_filter_keeps_want_their_number(api: RunningApi) -> None:
    """Neither Enter nor ``y`` nor a wrong number is a yes; others than those are left as they are."""
    await waiting(api, 1000)
    other = (await api.post("/models/gate/predict", json={}, headers=ASYNC)).json()["prediction_id"]
    async with dashboard_on(api.settings) as (dashboard, pilot):
        await known(dashboard, 1001, Status.QUEUED)
        await pilot.press("slash", *"model:mock", "enter", "X")
        await said(dashboard, "type 1000 and press enter")
        await pilot.press("enter")
        await pilot.pause()
        assert "Cancel 1,000 predictions?" not in screen_text(dashboard)
        await pilot.press("X")
        await said(dashboard, "Cancel 1,000 predictions?")
        await said(dashboard, "type 1000 and press enter")
        await pilot.press("y", *"999", "enter")
        await said(dashboard, "That is not 1000.")
        await pilot.press(*["backspace"] * 3, *"1000", "enter")
        await said(dashboard, "Canceled 1,000 predictions.")
        assert await statuses(api, [other]) == ["queued"]
        assert (await api.get("/stats")).json()["queue"]["depth"] == 1
        await known(dashboard, 1000, Status.CANCELED)


async def test_capital_r_replays_dead_letters_once(api: RunningApi) -> None:
    """All that the filter keeps; those that were replayed already are not meant any more."""
    async with running_worker(api):
        await failed(api, 3)
        await failed(api, 2, text="another \x1b[31m[/red] kind")
        async with dashboard_on(api.settings) as (dashboard, pilot):
            await known(dashboard, 5, Status.FAILED)
            await pilot.press("slash", *"status:failed", "enter", "R")
            await said(dashboard, "The server counts 5 that can be replayed.")
            await pilot.press("y")
            await said(dashboard, "Replayed 5 predictions.")
            await known(dashboard, 10, Status.FAILED)
            assert (await api.get("/stats")).json()["dead_letters"] == 5


async def test_a_filter_that_the_server_has_not_sends_the_ids(api: RunningApi) -> None:
    """And says so; what does not fit is left."""
    ids = await waiting(api, 3)
    async with dashboard_on(api.settings) as (dashboard, pilot):
        await known(dashboard, 3, Status.QUEUED)
        await wait_until(lambda: all(row.input_preview for row in dashboard.store.book))
        await pilot.press("slash", *"input:*w1*", "enter", "X")
        await said(dashboard, "The server counts 1 that can be canceled.")
        await said(dashboard, "The server has no such filter")
        await pilot.press("y")
        await said(dashboard, "Canceled 1 prediction.")
        assert await statuses(api, ids) == ["queued", "canceled", "queued"]


async def test_capital_d_drops_what_failed_and_it_leaves_the_list(api: RunningApi) -> None:
    """Its number is wanted, however small."""
    async with running_worker(api):
        await failed(api, 2)
        assert (await api.post("/predict", json={"input": "a"})).status_code == 200
        async with dashboard_on(api.settings) as (dashboard, pilot):
            await known(dashboard, 2, Status.FAILED)
            await pilot.press("D")
            await said(dashboard, "type 2 and press enter")
            await pilot.press("y", "2", "enter")
            await said(dashboard, "Dropped 2 predictions.")
            await known(dashboard, 0, Status.FAILED)
            assert (await api.get("/stats")).json()["dead_letters"] == 0
            await pilot.press("A")
            await said(dashboard, "Last actions")


async def test_what_cannot_be_done_to_any_of_them_says_so(api: RunningApi) -> None:
    """A verb that does not go with the filter's status is not even sent."""
    async with dashboard_on(api.settings) as (dashboard, pilot):
        await pilot.press("slash", *"status:failed", "enter", "X")
        await said(dashboard, "What is failed cannot be canceled; only what is queued or running.")
        await pilot.press("R")
        await said(dashboard, "There is nothing to do.")


async def test_a_queue_is_paused_and_resumed(api: RunningApi) -> None:
    """``P``, then its letter; the header says that it is paused, on every screen."""
    async with dashboard_on(api.settings) as (dashboard, pilot):
        await pilot.press("P")
        await said(dashboard, "l pauses it")
        await pilot.press("l")
        await said(dashboard, "Paused queue low")
        await said(dashboard, "■ low paused")
        await pilot.press("P")
        await said(dashboard, "l resumes it")
        await pilot.press("l")
        await said(dashboard, "Resumed queue low.")
        await wait_until(lambda: "■ low paused" not in screen_text(dashboard))


async def test_a_key_without_the_scope_says_which_one_it_takes(api: RunningApi) -> None:
    """And how to give one; nothing was done."""
    (prediction_id,) = await waiting(api)
    admin = await made(api, "admin", "admin")
    reader = await made(api, "reader", "read", by=admin)
    async with dashboard_on(api.settings, token=reader) as (dashboard, pilot):
        await known(dashboard, 1, Status.QUEUED)
        await pilot.press("X")
        await said(dashboard, "it takes a key with the scope operate")
        await pilot.press("escape", "P", "h")
        await said(dashboard, "zypher keys create NAME --scope operate")
        still = await api.get(f"/predict/{prediction_id}", headers=bearer(admin))
        assert still.json()["status"] == "queued"


async def test_a_read_only_dashboard_changes_nothing(api: RunningApi) -> None:
    """Each key says why."""
    ids = await waiting(api, 2)
    async with dashboard_on(api.settings, read_only=True) as (dashboard, pilot):
        await known(dashboard, 2, Status.QUEUED)
        for key in ("x", "X", "r", "R", "D", "P"):
            dashboard.clear_notifications()
            await pilot.press(key)
            await said(dashboard, "This dashboard is read-only (--read-only)")
        assert await statuses(api, ids) == ["queued"] * 2


async def test_the_past_is_not_changed(api: RunningApi) -> None:
    """It says how to come back."""
    ids = await waiting(api)
    async with dashboard_on(api.settings) as (dashboard, pilot):
        await known(dashboard, 1, Status.QUEUED)
        await pilot.press("p", "x")
        await said(dashboard, "Press p to come back to now.")
        assert await statuses(api, ids) == ["queued"]


async def test_an_api_that_is_away_is_said() -> None:
    """Known before: the key is refused with the reason; not known yet: the call is."""
    url = f"http://127.0.0.1:{free_port()}"
    dashboard = Dashboard(
        openers_of(url, None), api_url=url, interval_s=0.05, operator=lambda: ApiOperator(url)
    )  # fmt: skip
    async with dashboard.run_test(size=(120, 36), notifications=True) as pilot:
        await wait_until(lambda: "API ✗ away" in screen_text(dashboard))
        await pilot.press("P")
        await said(dashboard, "without it nothing can be done")


async def test_without_an_api_nothing_can_be_done() -> None:
    """Redis alone, or a file."""
    dashboard = Dashboard({}, api_url="http://x")
    async with dashboard.run_test(size=(120, 36), notifications=True) as pilot:
        await pilot.press("P")
        await said(dashboard, "Acting needs the API")


async def test_a_hostile_filter_in_the_dialog_leaves_the_screen_intact(api: RunningApi) -> None:
    """Escapes, markup, wide and turned characters."""
    await waiting(api, 2)
    async with dashboard_on(api.settings) as (dashboard, pilot):
        await known(dashboard, 2, Status.QUEUED)
        await pilot.press("slash")
        dashboard.screen.query_one("#filter", Input).value = '-"\x1b]0;x\x07 [/red] \u202e 模型"'
        await pilot.press("enter", "X")
        await said(dashboard, "that the filter keeps")
        text = screen_text(dashboard)
        assert not {"\x1b", "\x07", "\u202e"} & set(text)
        assert "[/red]" in text
