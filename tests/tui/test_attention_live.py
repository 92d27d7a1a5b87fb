"""What needs attention of a real system: an API, a server, a worker, and a model that fails."""

import msgspec

from tests.api.running import running_api, running_worker
from tests.tui.screen import screen_text
from zypher_jobs.queue.embedded import EmbeddedServer
from zypher_jobs.settings import Settings
from zypher_jobs.testing import wait_until
from zypher_tui.app import Dashboard
from zypher_tui.core.items import Item
from zypher_tui.opening import openers_of
from zypher_tui.screens.predictions import PredictionsPane
from zypher_tui.widgets.attention import AttentionList


def item_of(dashboard: Dashboard, rule: str) -> Item | None:
    """The one of that rule, if there is one."""
    return next((item for item in dashboard.view.items if item.rule == rule), None)


async def test_a_failing_model_a_paused_queue_and_no_worker_are_seen(
    valkey: EmbeddedServer, valkey_settings: Settings
) -> None:
    """From the trouble to the predictions that have it, and until all is well again."""
    settings = msgspec.structs.replace(valkey_settings, mock_failure_rate=1.0)
    api_url = f"http://127.0.0.1:{settings.port}"
    dashboard = Dashboard(openers_of(api_url, settings.redis_url), api_url=api_url, interval_s=0.1)
    async with running_api(settings) as api, dashboard.run_test(size=(120, 36)) as pilot:
        await wait_until(lambda: dashboard.view.has_figures)
        async with running_worker(api):
            many = [{"input": {"input": f"number {number}"}} for number in range(40)]
            (await api.post("/predictions", json=many)).raise_for_status()
            await wait_until(lambda: item_of(dashboard, "failing") is not None)
            item = item_of(dashboard, "failing")
            assert item is not None
            assert "of the last" in item.sentence
            await wait_until(lambda: "SimulatedFailure" in (item_of(dashboard, "failing") or item).sentence)
            await wait_until(lambda: item_of(dashboard, "dead letters grew") is not None)
            (await api.post("/queues/high/pause")).raise_for_status()
            await wait_until(lambda: item_of(dashboard, "paused") is not None)
            (await api.post("/queues/high/resume")).raise_for_status()
            await wait_until(lambda: item_of(dashboard, "paused") is None)
            await pilot.press("tab")
            attention = dashboard.query_one(AttentionList)
            items = dashboard.view.items
            attention.show(items, now_s=dashboard.now_s)
            await pilot.press(*["down"] * [each.rule for each in items].index("failing"))
            await wait_until(lambda: attention.selected is not None and attention.selected.rule == "failing")
            await pilot.press("enter")
            await wait_until(lambda: isinstance(dashboard.pane, PredictionsPane))
            assert isinstance(dashboard.pane, PredictionsPane)
            assert dashboard.pane.filter.text.startswith("status:failed model:mock fingerprint:")
            await wait_until(lambda: "40 of 40" in screen_text(dashboard))
        await wait_until(lambda: item_of(dashboard, "no worker") is not None, timeout_s=20)
