"""Acting on a real API from a dashboard: what is acted on, and what is said of it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from textual.pilot import Pilot

from tests.api.running import RunningApi
from tests.tui.screen import screen_text, told
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.settings import Settings
from zypher_jobs.testing import wait_until
from zypher_tui.app import Dashboard
from zypher_tui.opening import openers_of
from zypher_tui.sources.operator import ApiOperator


@asynccontextmanager
async def dashboard_on(
    settings: Settings, *, token: str | None = None, size: tuple[int, int] = (120, 36), **arguments: Any
) -> AsyncGenerator[tuple[Dashboard, Pilot[int]]]:
    """The Predictions screen of a dashboard that reads and acts on the API, quickly."""
    url = f"http://127.0.0.1:{settings.port}"
    dashboard = Dashboard(
        openers_of(url, None, api_key=token),
        api_url=url,
        interval_s=0.05,
        operator=lambda: ApiOperator(url, api_key=token),
        **arguments,
    )
    async with dashboard.run_test(size=size, notifications=True) as pilot:
        await pilot.press("2")
        await wait_until(lambda: dashboard.view.has_figures)
        yield dashboard, pilot


async def waiting(api: RunningApi, count: int = 1, **headers: str) -> list[str]:
    """Ids of some that nobody takes."""
    body = [{"input": {"input": f"w{number}"}} for number in range(count)]
    answer = await api.post("/predictions", json=body, headers=headers)
    return [item["prediction"]["prediction_id"] for item in answer.json()["items"]]


async def failed(api: RunningApi, count: int = 1, text: str = "no") -> list[str]:
    """Ids of some dead letters; a worker runs."""
    body = [{"model": "raises", "input": {"text": text}} for _ in range(count)]
    answer = await api.post("/predictions", json=body)
    ids = [item["prediction"]["prediction_id"] for item in answer.json()["items"]]
    for each in ids:
        assert (await api.get(f"/predict/{each}?wait=20")).json()["status"] == "failed"
    return ids


async def known(dashboard: Dashboard, count: int, status: Status) -> None:
    """So many of that status are on the dashboard."""
    await wait_until(lambda: sum(row.status is status for row in dashboard.store.book) == count)
    dashboard.pane.show_view(dashboard.view)


async def said(dashboard: Dashboard, text: str) -> None:
    """It stands on the screen; what pops up there breaks its lines."""
    await wait_until(lambda: text in screen_text(dashboard) or text in " ".join(told(dashboard)))


async def statuses(api: RunningApi, ids: list[str]) -> list[str]:
    """Where each stands."""
    return [(await api.get(f"/predict/{each}")).json()["status"] for each in ids]
