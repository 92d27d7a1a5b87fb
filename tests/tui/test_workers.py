"""Key 3: the workers. What stands on the screen, its keys, and a worker that is killed."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.process.stack import Up
from tests.tui.facts import NOW, health, overview, reading, summary, worker
from tests.tui.screen import screen_lines, screen_text
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.testing import wait_until
from zypher_tui.app import Dashboard
from zypher_tui.core.cleaning import cleaned
from zypher_tui.core.readings import SourceName
from zypher_tui.core.store import Store
from zypher_tui.demo_states import demo_dashboard
from zypher_tui.opening import openers_of
from zypher_tui.screens.pane import Led
from zypher_tui.widgets.workers import WorkerTable


async def test_the_cursor_leads_to_what_a_lost_worker_ran() -> None:
    """It says since when it is lost and who took over; enter opens one of them, or all that it ran."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.press("3", "end")
        await pilot.pause()
        text = screen_text(dashboard)
        assert "✗ lost 27 s ago, last heartbeat 09:01:58 · it held 3: 3 succeeded" in text
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


async def test_in_the_past_a_lost_worker_is_alive() -> None:
    """As it was then: what it ran, and nothing of its end; its bars stop at that time."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await wait_until(lambda: dashboard.feeds.is_reading)
        await pilot.press("3", "end", *["left_square_bracket"] * 4)
        await pilot.pause()
        text = screen_text(dashboard)
        assert "✗ lost" not in text
        assert "● ready · 3 of 3 slots in use" in text
        assert "Worker 6700bc13b869" in text
        assert "Runs 3" in text


async def test_what_needs_attention_leads_to_its_worker() -> None:
    """Enter on the item: the screen opens with the cursor there."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await wait_until(lambda: dashboard.feeds.is_reading)
        target = next(item.target for item in dashboard.view.items if item.rule == "worker lost")
        dashboard.post_message(Led(target))
        await wait_until(lambda: "Worker 6700bc13b869" in screen_text(dashboard))
        await pilot.pause()


@pytest.mark.parametrize("size", [(40, 12), (60, 20), (159, 29), (300, 80)])
@pytest.mark.parametrize("key", ["3", "4"])
async def test_any_size_is_drawn(key: str, size: tuple[int, int]) -> None:
    """Too small is cut off, never an error."""
    dashboard = demo_dashboard("both-down")
    async with dashboard.run_test(size=size) as pilot:
        await pilot.press(key, "down", "tab", "down")
        await pilot.pause()
        assert "Zypher" in screen_text(dashboard)


async def test_hostile_text_leaves_the_screens_of_workers_and_models_intact() -> None:
    """Escape sequences, markup, wide and turned characters: every line keeps its width and frame."""
    hostile = "\x1b]0;owned\x07 [/red] [bold]x \u202e 模型 \ud800 👩\u200d👧"
    rows = [
        summary("a" * 32, model=hostile, version=hostile, worker=hostile, status=Status.RUNNING, input_preview=hostile,
                started_at=NOW, progress=0.5, progress_message=hostile),
    ]  # fmt: skip
    facts = cleaned(overview(latest=rows, workers=[worker(hostile, host=hostile, models=[hostile], version=hostile)]))
    store = Store()
    store.fold(reading(SourceName.API, 1, overview=facts, health=health()))
    dashboard = Dashboard({}, api_url="http://x", store=store, clock_s=lambda: 1.0)
    async with dashboard.run_test(size=(120, 36)) as pilot:
        for key in ("3", "4"):
            await pilot.press(key)
            await pilot.pause()
            text = screen_text(dashboard)
            assert not {"\x1b", "\x07", "\u202e", "\ud800", "\u200d"} & set(text)
            assert "[bold]x" in text
            framed = [line for line in text.splitlines() if line.startswith("│")]
            assert all(line.endswith("│") for line in framed)


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
            await wait_until(lambda: "it held 3: 3 succeeded" in screen_text(dashboard), timeout_s=30)
            text = screen_text(dashboard)
            assert "✗ lost" in text
            assert "What became of its predictions · 3" in text
    finally:
        up.kill_everything()
