"""What goes on behind the screen, against a real API, a real server and a worker."""

import contextlib
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from tests.api.running import running_api, running_worker
from tests.tui.facts import NOW, overview, reading, summary
from tests.tui.quiet import QuietSource
from zypher_jobs.contracts.prediction import PredictionSummary, Status
from zypher_jobs.queue import PredictionQueue
from zypher_jobs.queue.embedded import EmbeddedServer
from zypher_jobs.queue.historian import Historian
from zypher_jobs.settings import Settings
from zypher_jobs.testing import wait_until
from zypher_tui.app import Dashboard
from zypher_tui.core.readings import Reading, SourceName
from zypher_tui.core.rows import Row
from zypher_tui.opening import openers_of


def dashboard_of(settings: Settings, *, interval_s: float = 0.05) -> Dashboard:
    """One that reads the API and Redis."""
    api_url = f"http://127.0.0.1:{settings.port}"
    return Dashboard(openers_of(api_url, settings.redis_url), api_url=api_url, interval_s=interval_s)


def succeeded(dashboard: Dashboard, count: int) -> Callable[[], bool]:
    """Whether so many rows are known as succeeded, with their texts."""
    return lambda: sum(row.status is Status.SUCCEEDED and row.is_detailed for row in dashboard.store.book) == count


async def test_all_that_happened_and_happens_is_in_the_book(settings: Settings) -> None:
    """More than a page from before, more than a reading's latest meanwhile, each to its end and with its texts."""
    async with running_api(settings) as api, running_worker(api):
        many = [{"input": {"input": f"number {number}"}} for number in range(450)]
        (await api.post("/predictions", json=many)).raise_for_status()
        dashboard = dashboard_of(settings)
        async with dashboard.run_test(size=(120, 36)):
            await wait_until(succeeded(dashboard, 450), timeout_s=30)
            (await api.post("/predictions", json=many)).raise_for_status()
            await wait_until(succeeded(dashboard, 900), timeout_s=30)
            previews = {row.input_preview for row in dashboard.store.book}
            assert previews == {f"number {number}" for number in range(450)}


async def test_events_go_on_when_the_api_is_gone(valkey: EmbeddedServer, valkey_settings: Settings) -> None:
    """They are heard from Redis, from where the API's ended."""
    queue = PredictionQueue.from_settings(valkey_settings)
    dashboard = dashboard_of(valkey_settings)
    book = dashboard.store.book
    async with dashboard.run_test(size=(120, 36)):
        async with running_api(valkey_settings):
            await wait_until(lambda: dashboard.store.links.preferred(dashboard.now_s) is SourceName.API)
            await queue.submit("mock", {"input": "one"})
            await wait_until(lambda: len(book) == 1)
        await queue.submit("mock", {"input": "two"})
        await wait_until(lambda: len(book) == 2)
        async with running_api(valkey_settings):
            await wait_until(lambda: dashboard.store.links.preferred(dashboard.now_s) is SourceName.API)
            await queue.submit("mock", {"input": "three"})
            await wait_until(lambda: len(book) == 3)
    await queue.aclose()


class ForgetfulSource(QuietSource):
    """Has figures, tells no event, and of its predictions only when asked for them by id."""

    def __init__(self, rows: Sequence[PredictionSummary], reading: Reading) -> None:
        self.rows = list(rows)
        self.reading = reading
        self.asked: list[Sequence[str]] = []

    async def read(self, *, overview: bool) -> Reading:
        """As told."""
        del overview
        return self.reading

    async def summaries(self, prediction_ids: Sequence[str]) -> list[PredictionSummary]:
        """Those that there still are."""
        self.asked.append(prediction_ids)
        return [row for row in self.rows if row.prediction_id in prediction_ids]


@pytest.mark.parametrize("end", ["succeeded", "gone"])
async def test_an_end_that_nobody_told_is_found_out(end: str) -> None:
    """Its event was missed, or it was dropped: what has not ended is read again, all in turn."""
    rows = [summary(f"row{number}", created_at=NOW - timedelta(seconds=number)) for number in range(500)]
    latest = reading(SourceName.API, 1.0, overview=overview(latest=rows))
    source = ForgetfulSource(rows, latest)
    dashboard = Dashboard({SourceName.API: lambda: source}, api_url="http://x", interval_s=0.01, clock_s=lambda: 1.0)
    book = dashboard.store.book
    async with dashboard.run_test(size=(120, 36)):
        await wait_until(lambda: len(book) == 500)
        source.reading = reading(SourceName.API, 1.0, overview=overview())
        source.rows = [] if end == "gone" else [
            summary(row.prediction_id, created_at=row.created_at, status=Status.SUCCEEDED) for row in rows
        ]  # fmt: skip
        if end == "gone":
            await wait_until(lambda: len(book) == 0)
        else:
            await wait_until(lambda: all(row.status is Status.SUCCEEDED for row in book))
            assert all(len(asked) <= 200 for asked in source.asked)


def test_a_row_is_small() -> None:
    """100,000 of them are to fit beside the program: see ``just bench tui`` for all of it."""
    row = Row.of(summary("a" * 32, input_preview='{"input":"' + "x" * 190 + '"}', output_preview="y" * 200))
    assert len(row.input_preview) == len(row.output_preview) == 100


@pytest.mark.parametrize("through", ["the API", "Redis"])
async def test_what_the_server_recorded_can_be_stepped_back_to(settings: Settings, through: str) -> None:
    """Before the dashboard was opened: the figures of then, with the API or without it."""
    queue = PredictionQueue.from_settings(settings)
    historian = Historian(queue, queue.inspect, kept_s=3600, every_s=0.001)
    await historian.record()
    for number in range(3):
        await queue.submit("mock", {"input": str(number)})
    async with contextlib.AsyncExitStack() as stack:
        if through == "the API":
            await stack.enter_async_context(running_api(settings))
        dashboard = dashboard_of(settings)
        async with dashboard.run_test(size=(120, 36)) as pilot:
            store = dashboard.store
            await wait_until(lambda: store.view(0, at_s=store.timeline.first_s or 0).figures.depth == 0)
            await pilot.press("left_curly_bracket")
            await pilot.pause()
            assert dashboard.view.figures.depth == 0
            await pilot.press("p")
            assert dashboard.view.figures.depth == 3
    await queue.aclose()
