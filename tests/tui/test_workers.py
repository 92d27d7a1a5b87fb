"""Key 3: the workers. What stands on the screen, its keys, and a worker that is killed."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.process.stack import Up
from tests.tui.drawn import SIZES
from tests.tui.screen import screen_lines, screen_text
from zypher_jobs.testing import wait_until
from zypher_tui.app import Dashboard, openers_of
from zypher_tui.demo import demo_dashboard
from zypher_tui.widgets.workers import WorkerTable


@pytest.mark.parametrize("state", ["live", "empty", "api-down"])
async def test_the_screen_is_as_it_was(state: str, golden: Callable[[str, str], None]) -> None:
    """At every size, to the character."""
    dashboard = demo_dashboard(state)
    async with dashboard.run_test(size=SIZES[0]) as pilot:
        await wait_until(lambda: dashboard.feeds.is_reading)
        await pilot.press("3")
        for columns, rows in SIZES:
            await pilot.resize_terminal(columns, rows)
            await pilot.pause()
            golden(f"workers-{state}-{columns}x{rows}", screen_text(dashboard))


async def test_the_cursor_leads_to_what_a_lost_worker_ran() -> None:
    """It says since when it is lost and who took over; enter opens one of them, or all that it ran."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.press("3", "end")
        await pilot.pause()
        text = screen_text(dashboard)
        assert "✗ lost 27 s ago, last heartbeat 09:01:58 · 3 predictions of it: 3 succeeded" in text
        assert "What became of its predictions · 3" in text
        assert "by 34aa1081c5b6" in text
        await pilot.press("c")
        assert dashboard.clipboard == "6700bc13b869"
        await pilot.press("tab", "enter")
        await pilot.pause()
        assert "esc back" in screen_text(dashboard)
        await pilot.press("escape", "shift+tab", "enter")
        await pilot.pause()
        assert "worker:6700bc13b869" in screen_text(dashboard)


async def test_workers_are_sorted_by_keys_and_by_a_click_on_a_title() -> None:
    """The cursor stays on its worker; a second click turns the order round, and keys go on from there."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.press("3", "down")
        table = dashboard.query_one("#workers", WorkerTable)
        selected = table.selected

        def done() -> list[int]:
            return [table.row_at(index).worker.succeeded for index in range(5)]

        title = next(line for line in screen_lines(dashboard) if "done" in line)
        await pilot.click("#workers", offset=(title.index("done"), 1))
        assert done() == sorted(done(), reverse=True)
        assert "done▼" in screen_text(dashboard)
        await pilot.click("#workers", offset=(title.index("done"), 1))
        assert done() == sorted(done())
        assert "done▲" in screen_text(dashboard)
        assert table.selected == selected
        await pilot.press("greater_than_sign")
        assert done() == sorted(done(), reverse=True)
        await pilot.press("s")
        assert "faile▼" in screen_text(dashboard)
        await pilot.press("s", "s", "s")
        assert "▼" not in screen_text(dashboard)
        await pilot.press("s")
        assert "worker▲" in screen_text(dashboard)


async def test_a_worker_that_is_killed_is_lost_and_its_predictions_are_recovered(tmp_path: Path) -> None:
    """SIGKILL: within seconds it is shown as lost, with what another one took over."""
    up = Up(tmp_path, workers=2, mock_latency_ms="2500", concurrency=3)
    await up.start_and_wait()
    dashboard = Dashboard(openers_of(up.url, up.facts.redis_url), api_url=up.url, interval_s=0.2)
    try:
        async with dashboard.run_test(size=(120, 40)) as pilot:
            await pilot.press("3")
            await wait_until(lambda: len(dashboard.view.workers) == 2, timeout_s=20)
            await up.submit(6)
            await wait_until(lambda: sum(worker.running for worker in dashboard.view.workers) >= 6, timeout_s=20)
            victim = max(dashboard.view.workers, key=lambda worker: worker.running)
            killed_s = time.monotonic()
            os.kill(victim.pid, signal.SIGKILL)
            table = dashboard.query_one("#workers", WorkerTable)

            def departed() -> bool:
                rows = [table.row_at(index) for index in range(len(table.shown))]
                return any(row.departed and row.worker.worker_id == victim.worker_id for row in rows)

            await wait_until(departed, timeout_s=30)
            assert time.monotonic() - killed_s < 15  # about 6 s on a machine that is not busy
            await pilot.press("end")
            await wait_until(lambda: f"Worker {victim.worker_id}" in screen_text(dashboard))
            await wait_until(lambda: "3 predictions of it: 3 succeeded" in screen_text(dashboard), timeout_s=30)
            text = screen_text(dashboard)
            assert "✗ lost" in text
            assert "What became of its predictions · 3" in text
    finally:
        up.kill_everything()
