"""The dashboard on its screen, driven by keys, over the simulated system."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tui.facts import NOW, health, overview, reading, summary, worker
from tests.tui.golden import golden
from tests.tui.quiet import QuietSource
from tests.tui.screen import SIZES, dashboard_over, screen_lines, screen_text, shapes
from zypher_jobs.contracts.prediction import Prediction, PredictionSummary, Status
from zypher_jobs.testing import wait_until
from zypher_tui.app import Dashboard
from zypher_tui.core.cleaning import cleaned
from zypher_tui.core.readings import Reading, SourceName
from zypher_tui.demo_states import demo_dashboard
from zypher_tui.widgets.predictions import PredictionTable, curl
from zypher_tui.widgets.table import arrange

HOSTILE = "\x1b]0;owned\x07 [/red] [bold]x \u202e 模型 \ud800 👩\u200d👧"


@pytest.mark.parametrize("state", ["connecting", "both-down"])
async def test_the_screen_is_as_it_was(state: str) -> None:
    """Without any figures, and with old ones; the other states are those of ``test_screens``."""
    dashboard = demo_dashboard(state)
    async with dashboard.run_test(size=SIZES[0]) as pilot:
        for columns, rows in SIZES:
            await pilot.resize_terminal(columns, rows)
            await pilot.pause()
            assert len(screen_lines(dashboard)) == rows
            await golden(f"{state}-{columns}x{rows}", partial(screen_text, dashboard))


@pytest.mark.parametrize("size", [(40, 12), (60, 20), (81, 25), (159, 29), (300, 80)])
async def test_any_size_is_drawn(size: tuple[int, int]) -> None:
    """Too small is cut off, never an error."""
    dashboard = demo_dashboard("both-down")
    async with dashboard.run_test(size=size) as pilot:
        await pilot.pause()
        assert "Zypher" in screen_text(dashboard)


@pytest.mark.parametrize("size", [(59, 24), (80, 14), (20, 5)])
async def test_a_terminal_that_is_too_small_says_so(size: tuple[int, int]) -> None:
    """And nothing else, whatever is wrong or shown; with more room all is there."""
    dashboard = demo_dashboard("both-down")
    async with dashboard.run_test(size=size) as pilot:
        await pilot.press("p")
        await pilot.pause()
        said = " ".join(screen_text(dashboard).split())
        assert said == f"Zypher needs 60x15 cells; this terminal has {size[0]}x{size[1]}. q quits."
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert "waiting" in screen_text(dashboard)
        assert "cells" not in screen_text(dashboard)


async def test_resizing_moves_to_the_other_layout() -> None:
    """In both directions, with nothing left behind."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        before = screen_text(dashboard)
        await pilot.resize_terminal(200, 60)
        await pilot.pause()
        assert "finished per s" in screen_text(dashboard)
        await pilot.resize_terminal(120, 36)
        await pilot.pause()
        assert screen_text(dashboard) == before


async def test_hostile_text_leaves_the_screen_intact() -> None:
    """Escape sequences, markup, wide and turned characters in every field: every line keeps its width and frame."""
    facts = overview(
        latest=[
            summary(
                f"{number}{HOSTILE}", model=HOSTILE, worker=HOSTILE, input_preview=HOSTILE, output_preview=HOSTILE,
                status=Status.SUCCEEDED,
            )
            for number in range(3)
        ],
        workers=[worker(HOSTILE, host=HOSTILE)],
    )  # fmt: skip
    dashboard = dashboard_over(reading(SourceName.API, 1, overview=cleaned(facts), health=health()))
    async with dashboard.run_test(size=(200, 60)) as pilot:
        await pilot.pause()
        text = screen_text(dashboard)
        assert not {"\x1b", "\x07", "\u202e", "\ud800", "\u200d"} & set(text)
        assert "[/red]" in text
        rows = [line for line in text.splitlines() if "␛]0;owned" in line]
        assert len(rows) == 4
        assert all(row.startswith("│") and row.endswith("│") for row in rows)
        await pilot.press("enter")
        await pilot.pause()
        text = screen_text(dashboard)
        assert not {"\x1b", "\x07", "\u202e", "\ud800"} & set(text)
        assert "[bold]x" in text


async def test_enter_opens_all_of_a_prediction_and_esc_closes_it() -> None:
    """Its whole output, read from the first source that has it."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await wait_until(lambda: dashboard.feeds.is_reading)
        rows = dashboard.view.rows
        at = next(i for i, row in enumerate(rows) if row.model == "mock" and row.status is Status.SUCCEEDED)
        await pilot.press(*["down"] * at, "enter")
        selected = dashboard.screen_stack[0].query_one("#feed", PredictionTable).selected
        assert selected is not None
        await wait_until(lambda: '"result": "' in screen_text(dashboard))
        text = screen_text(dashboard)
        assert selected.prediction_id in text
        assert "● succeeded" in text
        await pilot.press("escape")
        await pilot.pause()
        assert "esc back" not in screen_text(dashboard)


async def test_a_prediction_can_be_opened_while_everything_is_down() -> None:
    """What is known of it is shown, with the reason why there is no more."""
    dashboard = demo_dashboard("both-down")
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await wait_until(lambda: dashboard.feeds.is_reading)
        await pilot.press("enter")
        await wait_until(lambda: "Only its line of the list can be shown: Redis is away" in screen_text(dashboard))


async def test_an_open_prediction_follows_until_it_ends() -> None:
    """A running one is read again; a finished one is not."""
    running = summary("a" * 32, status=Status.RUNNING)
    reads: list[str] = []

    class Api(QuietSource):
        async def read(self, *, overview: bool) -> Reading:
            return reading(SourceName.API, 1, overview=facts, health=health())

        async def summaries(self, prediction_ids: Sequence[str]) -> list[PredictionSummary]:
            return [running]

        async def prediction(self, prediction_id: str) -> Prediction:
            reads.append(prediction_id)
            status = Status.SUCCEEDED if len(reads) > 2 else Status.RUNNING
            return Prediction(
                prediction_id=prediction_id, status=status, model="mock", mode=running.mode, output={"at": len(reads)},
                created_at=running.created_at,
            )  # fmt: skip

    facts = overview(latest=[running])
    dashboard = Dashboard({SourceName.API: Api}, api_url="http://x", interval_s=0.02, clock_s=lambda: 1.0)
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await wait_until(lambda: running.prediction_id[:8] in screen_text(dashboard))
        await pilot.press("enter")
        await wait_until(lambda: '"at": 3' in screen_text(dashboard))
        await pilot.pause(0.1)
        assert len(reads) == 3


async def test_a_running_prediction_shows_what_it_says() -> None:
    """Progress and message in the list; in the detail the log's last lines too, nothing of them obeyed."""
    running = summary("c" * 32, status=Status.RUNNING, worker="w", progress=0.4, progress_message="tokenizing")

    class Api(QuietSource):
        async def read(self, *, overview: bool) -> Reading:
            return reading(SourceName.API, 1, overview=facts, health=health())

        async def summaries(self, prediction_ids: Sequence[str]) -> list[PredictionSummary]:
            return [running]

        async def prediction(self, prediction_id: str) -> Prediction:
            whole = Prediction(
                prediction_id=prediction_id, status=Status.RUNNING, model="mock", mode=running.mode,
                created_at=running.created_at, progress=0.5, progress_message="writing", log=["first line", HOSTILE],
            )  # fmt: skip
            return cleaned(whole)

    facts = overview(latest=[running])
    dashboard = Dashboard({SourceName.API: Api}, api_url="http://x", interval_s=0.02, clock_s=lambda: 1.0)
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await wait_until(lambda: "40 % · tokenizing" in screen_text(dashboard))
        await pilot.press("enter")
        await wait_until(lambda: "50 % · writing" in screen_text(dashboard))
        text = screen_text(dashboard)
        assert "first line" in text
        assert "[bold]x" in text
        assert "\x1b" not in text


async def test_a_forgotten_prediction_says_so() -> None:
    """Its retention has ended between two refreshes."""

    class Api(QuietSource):
        async def read(self, *, overview: bool) -> Reading:
            return reading(SourceName.API, 1, overview=facts, health=health())

    facts = overview(latest=[summary("b" * 32, status=Status.FAILED)])
    dashboard = Dashboard({SourceName.API: Api}, api_url="http://x", interval_s=0.02, clock_s=lambda: 1.0)
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await wait_until(lambda: "bbbbbbbb" in screen_text(dashboard))
        await pilot.press("enter")
        await wait_until(lambda: "its retention has ended" in screen_text(dashboard))


async def test_the_cursor_stays_on_its_prediction_while_others_come_in() -> None:
    """And on the first line it stays there: the newest is always under it."""
    rows = [summary(f"row{number:03}", created_at=NOW - timedelta(seconds=number)) for number in range(60)]
    dashboard = dashboard_over(reading(SourceName.API, 1, overview=overview(latest=rows), health=health()))
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.press("2")
        table = dashboard.query_one("#predictions", PredictionTable)
        book = dashboard.store.book

        async def come(prediction_id: str, after_s: int) -> None:
            book.fold([summary(prediction_id, created_at=NOW + timedelta(seconds=after_s))])
            dashboard.pane.show_view(dashboard.view)
            await pilot.pause()

        await come("new", 1)
        assert table.selected is not None
        assert table.selected.prediction_id == "new"
        await pilot.press("end", "up")
        kept = table.selected
        await come("newer", 2)
        assert table.selected is kept
        assert kept.prediction_id in screen_text(dashboard)
        book.forget([row.prediction_id for row in list(book)])
        dashboard.pane.show_view(dashboard.view)
        assert table.selected is None
        await pilot.press("up", "down", "pagedown", "enter", "end")


async def test_keys_move_through_a_table() -> None:
    """Arrows, k and j, pages, both ends; the row under the cursor is on the screen."""
    rows = [summary(f"row{number:03}x", created_at=NOW - timedelta(seconds=number)) for number in range(100)]
    dashboard = dashboard_over(reading(SourceName.API, 1, overview=overview(latest=rows), health=health()))
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await pilot.press("2")
        table = dashboard.query_one("#predictions", PredictionTable)
        page = f"row{table.size.height - 2:03}x"
        for keys, expected in (
            (["down", "j", "k"], "row001x"), (["end"], "row099x"), (["up"], "row098x"), (["home"], "row000x"),
            (["pagedown"], page), (["pageup"], "row000x"),
        ):  # fmt: skip
            await pilot.press(*keys)
            await pilot.pause()
            assert table.selected is not None
            assert table.selected.prediction_id == expected
            assert expected in screen_text(dashboard)


async def test_a_click_selects_and_a_second_opens() -> None:
    """The mouse is enough."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        table = dashboard.query_one("#feed", PredictionTable)
        await pilot.click("#feed", offset=(10, 5), times=2)
        assert table.selected == dashboard.view.rows[3]
        await wait_until(lambda: "esc back" in screen_text(dashboard))


async def test_tab_goes_round_the_tables() -> None:
    """The focused one is framed in color."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        seen: list[str | None] = []
        for _ in range(6):
            seen.append(dashboard.focused.id if dashboard.focused else None)
            await pilot.press("tab")
        assert seen == ["feed", "attention", "queues", "heat", "alive", "feed"]


async def test_pause_stops_the_screen_and_not_the_collecting() -> None:
    """A paused screen says so; going on shows what happened meanwhile."""
    dashboard = dashboard_over(reading(SourceName.API, 1, overview=overview(depth=5), health=health()))
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.press("p")
        await pilot.pause()
        assert "‖ 09:00:00 · 0 s ago" in screen_text(dashboard)
        dashboard.store.fold(reading(SourceName.API, 1.5, overview=overview(depth=77_777), health=health()))
        await pilot.press("t")
        await pilot.pause()
        assert "77,777" not in screen_text(dashboard)
        await pilot.press("p")
        await pilot.pause()
        assert "77,777" in screen_text(dashboard)


async def test_the_span_of_the_charts_changes() -> None:
    """One column is 1 s, 5 s, 20 s, 3 min, and 1 s again."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        spans: list[str] = []
        for _ in range(5):
            spans.append(next(line for line in screen_lines(dashboard) if "last " in line)[25:40].strip(" ─╯╰"))
            await pilot.press("t")
            await pilot.pause()
        assert spans == ["last 1m04s", "last 5m20s", "last 21m20s", "last 3h12m", "last 1m04s"]


async def test_an_empty_system_shows_a_call_to_copy() -> None:
    """``c`` puts it on the clipboard in one line."""
    dashboard = demo_dashboard("empty")
    async with dashboard.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "curl http://127.0.0.1:8080/predict" in screen_text(dashboard)
        await pilot.press("c")
        assert dashboard.clipboard == curl("http://127.0.0.1:8080")
        assert "\n" not in dashboard.clipboard


async def test_c_copies_the_id_of_the_prediction_under_the_cursor() -> None:
    """All of it, however little of it the table shows."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(80, 24)) as pilot:
        await pilot.press("down", "c")
        assert dashboard.clipboard == dashboard.view.rows[1].prediction_id


async def test_a_source_with_a_defect_is_away_and_the_dashboard_lives() -> None:
    """Its exception is shown, cleaned, and it is asked again."""

    class Broken(QuietSource):
        asked = 0

        async def read(self, *, overview: bool) -> Reading:
            Broken.asked += 1
            raise ValueError("bad \x1b[31m thing")

    dashboard = Dashboard({SourceName.API: Broken}, api_url="http://x", interval_s=0.02)
    async with dashboard.run_test(size=(120, 36)):
        await wait_until(lambda: "ValueError: bad ␛[31m thing" in screen_text(dashboard))
        await wait_until(lambda: Broken.asked > 2)


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
async def test_it_ends_with_zero(key: str) -> None:
    """Also from within a dialog."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test() as pilot:
        await pilot.press("question_mark")
        await pilot.press("escape" if key == "q" else key)
        await pilot.press(key)
    assert dashboard.return_value == 0


async def test_without_color_the_words_remain(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR changes no character."""
    dashboard = demo_dashboard("api-down")
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        colored = screen_text(dashboard)
    monkeypatch.setenv("NO_COLOR", "1")
    dashboard = demo_dashboard("api-down")
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        assert shapes(screen_text(dashboard)) == shapes(colored)


@settings(deadline=None)
@given(st.integers(20, 300))
def test_columns_never_take_more_than_there_is(width: int) -> None:
    """The least important leave first; those that stay are at least as wide as they must be."""
    columns = PredictionTable(id="x", api_url="").columns
    arranged = arrange(columns, width)
    least = sum(column.width + 1 for column in columns if not column.leave)
    if width >= least:
        gap = 2 if width >= 90 else 1
        assert sum(room + gap for _, room in arranged) <= width
    assert all(room >= column.width for column, room in arranged)


async def test_a_filter_is_typed_and_taken_away() -> None:
    """The list follows each key; a filter that is wrong says so and changes nothing; escape shows everything again."""
    rows = [
        summary("a" * 32, model="fraud", status=Status.FAILED),
        summary("b" * 32, model="mock", status=Status.SUCCEEDED),
        summary("c" * 32, model="mock", status=Status.FAILED),
    ]
    dashboard = dashboard_over(reading(SourceName.API, 1.0, overview=overview(latest=rows), health=health()))
    async with dashboard.run_test(size=(120, 36)) as pilot:
        table = dashboard.query_one("#predictions", PredictionTable)
        await pilot.press("slash", *"status:failed")
        assert "Predictions · 2 of 3 · status:failed" in screen_text(dashboard)
        await pilot.press(*" model:moc")
        await pilot.press("k")
        assert "1 of 3" in screen_text(dashboard)
        await pilot.press(*" age:")
        assert "age: has nothing behind it." in screen_text(dashboard)
        await pilot.press("1")
        assert "age is compared by < and >, such as age<1s." in screen_text(dashboard)
        await pilot.press(*["backspace"] * 6)
        await pilot.press("enter")
        assert table.has_focus
        assert table.selected is not None
        assert table.selected.prediction_id == "c" * 32
        assert "Filter ·" not in screen_text(dashboard)
        await pilot.press("slash")
        assert "status:failed model:mock" in screen_text(dashboard)
        await pilot.press("escape")
        assert "Predictions · 3" in screen_text(dashboard)
        await pilot.press("slash", *"nothing-like-it")
        assert "The filter keeps none of them" in screen_text(dashboard)
