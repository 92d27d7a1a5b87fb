"""The columns of the list of predictions: which a person chose, their order, and what there is room for."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as tried
from hypothesis import strategies as st
from textual.pilot import Pilot

from tests.api.running import running_api, running_worker
from tests.api.test_keys import bearer, made
from tests.tui.acting import dashboard_on
from tests.tui.facts import health, overview, reading, summary
from tests.tui.golden import golden
from tests.tui.screen import SIZES, dashboard_over, screen_lines, screen_text
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.settings import Settings
from zypher_jobs.testing import wait_until
from zypher_tui.app import Dashboard
from zypher_tui.config import keep_columns, load_config
from zypher_tui.core.choosing import COLUMNS, USUAL, Choosing
from zypher_tui.core.readings import SourceName
from zypher_tui.core.rows import Row
from zypher_tui.demo_states import demo_dashboard
from zypher_tui.palette import palette
from zypher_tui.widgets.column_dialog import ColumnDialog
from zypher_tui.widgets.columns import arrange, gap
from zypher_tui.widgets.drawing import Part
from zypher_tui.widgets.prediction_columns import BY_NAME, columns_of
from zypher_tui.widgets.predictions import PredictionTable
from zypher_tui.widgets.small import LEAST_COLUMNS

DOES: Mapping[str, Callable[[Choosing], object]] = {
    "up": lambda choosing: choosing.move(-1),
    "down": lambda choosing: choosing.move(1),
    "end": lambda choosing: choosing.move(1000),
    "space": Choosing.switch,
    "K": lambda choosing: choosing.carry(-1),
    "J": lambda choosing: choosing.carry(1),
    "d": Choosing.begin_anew,
}
any_columns = st.lists(st.sampled_from(list(COLUMNS)), min_size=1, unique=True)


@given(any_columns, st.lists(st.sampled_from(list(DOES)), max_size=40))
def test_whatever_is_done_each_column_is_there_once_and_one_is_shown(shown: list[str], done: list[str]) -> None:
    """The cursor stays on a column; what is shown keeps the order of the list."""
    choosing = Choosing(shown)
    assert choosing.shown == tuple(shown)
    for each in done:
        DOES[each](choosing)
        assert sorted(choosing.order) == sorted(COLUMNS)
        assert choosing.shown
        assert 0 <= choosing.cursor < len(COLUMNS)
    choosing.begin_anew()
    assert choosing.shown == USUAL


def test_every_column_is_drawn_and_has_its_turn_to_leave() -> None:
    """No two leave at once; status and id stay."""
    assert set(BY_NAME) == set(COLUMNS)
    turns = [column.leave for column in BY_NAME.values() if column.leave]
    assert sorted(turns) == list(range(1, len(COLUMNS) - 1))
    assert [name for name, column in BY_NAME.items() if not column.leave] == ["id", "status"]


@tried(deadline=None)
@given(any_columns, st.integers(LEAST_COLUMNS - 4, 400))
def test_what_is_shown_fits_whatever_was_chosen(shown: list[str], width: int) -> None:
    """On the smallest terminal, too, with its frame and a scroll bar; in the order that was chosen."""
    arranged = arrange(columns_of(shown), width)
    assert sum(room + gap(width) for _, room in arranged) <= width
    titles = [column.title for column, _ in arranged]
    assert titles == [name for name in shown if name in titles]
    assert titles
    left = [BY_NAME[name].leave for name in shown if name not in titles]
    assert not left or min(left) > max(BY_NAME[name].leave for name in titles)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", 'columns = ["id", "status"]\n'),
        ('theme = "dark"\ncolumns = ["id"]\n[keys]\n', 'theme = "dark"\ncolumns = ["id", "status"]\n[keys]\n'),
        (
            'columns = [\n  "id",  # first\n  "run",\n]\nfps = 1\n',
            'columns = ["id", "status"]\nfps = 1\n',
        ),
    ],
    ids=["no file", "one line", "many lines"],
)
def test_keeping_columns_leaves_the_rest_of_the_file(before: str, after: str, tmp_path: Path) -> None:
    """However the list was written."""
    path = tmp_path / "dashboard.toml"
    if before:
        path.write_text(before, encoding="utf-8")
    keep_columns(path, ["id", "status"])
    assert path.read_text(encoding="utf-8") == after
    assert load_config(path).columns == ("id", "status")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of a configuration file that is not there yet."""
    return tmp_path / "dashboard.toml"


def dashboard_with(path: Path) -> Dashboard:
    """One prediction, and what that file says."""
    one = summary("a" * 32, status=Status.FAILED, version="7", caller="key-1", attempts=3, worker="node-1-7-ab12")
    facts = reading(SourceName.API, 1, overview=overview(latest=[one]), health=health())
    return dashboard_over(facts, config=load_config(path))


def titles_of(dashboard: Dashboard) -> list[str]:
    """Of the columns that the list shows."""
    return dashboard.screen_stack[0].query_one("#predictions", PredictionTable).fitting


def first_line(dashboard: Dashboard) -> list[str]:
    """The titles as they stand on the screen."""
    return next(line for line in screen_lines(dashboard) if " status " in line).strip("│ ").split()


async def chosen(pilot: Pilot[int], *keys: str) -> None:
    """Open the Predictions screen and its dialog, and press these."""
    await pilot.press("2", "o", *keys)
    await pilot.pause()


async def test_columns_are_chosen_by_keys_and_kept(path: Path) -> None:
    """The list shows each change at once, enter keeps it, and the next dashboard begins with it."""
    dashboard = dashboard_with(path)
    async with dashboard.run_test(size=(200, 36), notifications=True) as pilot:
        await chosen(pilot, "space", "j", "J")
        assert isinstance(dashboard.screen, ColumnDialog)
        assert "Columns · 8 shown" in screen_text(dashboard)
        assert titles_of(dashboard)[:3] == ["model", "id", "mode"]
        for _ in range(7):
            await pilot.press("j")
        await pilot.press("space")  # version
        await pilot.press("enter")
        await wait_until(lambda: "Columns: model, id, mode" in " ".join(screen_text(dashboard).split()))
    expected = ("model", "id", "mode", "status", "wait", "run", "input", "result", "version")
    assert load_config(path).columns == expected
    dashboard = dashboard_with(path)
    async with dashboard.run_test(size=(200, 36)) as pilot:
        await pilot.press("2")
        await pilot.pause()
        assert first_line(dashboard) == titles_of(dashboard) == list(expected)
        feed = [column.title for column in dashboard.query_one("#feed", PredictionTable).columns]
        assert feed == list(USUAL), "of the Overview they stay"


@pytest.mark.parametrize("leave", ["escape", "q", "a click beside it"])
async def test_leaving_the_dialog_leaves_all_as_it_was(leave: str, path: Path) -> None:
    """Nothing is written."""
    dashboard = dashboard_with(path)
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.press("2")
        await pilot.pause()
        before = screen_text(dashboard)
        await chosen(pilot, "space", "J", "end", "space")
        if leave == "a click beside it":
            await pilot.click(offset=(2, 30))
        else:
            await pilot.press(leave)
        await pilot.pause()
        assert screen_text(dashboard) == before
    assert load_config(path).columns is None


async def test_the_last_column_stays_and_the_usual_ones_come_back(path: Path) -> None:
    """The box says why; one key undoes it all."""
    keep_columns(path, ["status"])
    dashboard = dashboard_with(path)
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await chosen(pilot, "space")
        assert "One column stays." in screen_text(dashboard)
        assert "Columns · 1 shown" in screen_text(dashboard)
        await pilot.press("d", "enter")
        await pilot.pause()
        assert titles_of(dashboard) == list(USUAL)
    assert load_config(path).columns == USUAL


async def test_the_mouse_switches_and_carries_columns(path: Path) -> None:
    """A click switches one, dragging moves it to another line."""
    dashboard = dashboard_with(path)
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await chosen(pilot)
        await pilot.click("#box", offset=(5, 1))  # created
        assert titles_of(dashboard)[:2] == ["id", "model"]
        await pilot.mouse_down("#box", offset=(5, 2))
        await pilot.hover("#box", offset=(5, 3))
        await pilot.hover("#box", offset=(5, 5))
        await pilot.mouse_up("#box", offset=(5, 5))
        assert titles_of(dashboard)[:4] == ["model", "mode", "status", "id"]
        await pilot.click("#box", offset=(5, 12))  # caller
        await pilot.press("enter")
    assert load_config(path).columns == ("model", "mode", "status", "id", "wait", "run", "input", "result", "caller")


async def test_what_there_is_no_room_for_is_said(path: Path) -> None:
    """Beside its name; it is there again with more room."""
    keep_columns(path, COLUMNS)
    dashboard = dashboard_with(path)
    async with dashboard.run_test(size=(80, 24)) as pilot:
        await chosen(pilot)
        assert screen_text(dashboard).count("no room") == len(COLUMNS) - len(titles_of(dashboard))
        await pilot.resize_terminal(300, 60)
        await wait_until(lambda: "no room" not in screen_text(dashboard))
        await pilot.press("escape")
        await pilot.pause()
        assert first_line(dashboard) == titles_of(dashboard) == list(COLUMNS)
        (line,) = [line for line in screen_lines(dashboard) if "✗ failed" in line]
        assert line.split()[4:6] == ["7", "async"]
        assert "key-1" in line
        assert "node-1-7-ab12" in line


def box_text(dashboard: Dashboard) -> str:
    """The dialog, without what lies behind it."""
    box = dashboard.screen.query_one("#box").region
    return "\n".join(line[box.x : box.right] for line in screen_lines(dashboard)[box.y : box.bottom])


async def test_the_dialog_is_as_it_was() -> None:
    """At every size, without what lies behind it."""
    dashboard = demo_dashboard("both-down")
    async with dashboard.run_test(size=SIZES[0]) as pilot:
        await chosen(pilot, "j", "space")
        for columns, rows in SIZES:
            await pilot.resize_terminal(columns, rows)
            await golden(f"columns-{columns}x{rows}", partial(box_text, dashboard))


async def test_of_many_predictions_only_those_on_the_screen_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the columns are: a key costs as much with 20,000 as with 20."""
    drawn: list[str] = []

    def draw(row: Row, width: int) -> list[Part]:
        drawn.append(row.prediction_id)
        return [(row.prediction_id[:width], palette.PLAIN)]

    monkeypatch.setitem(BY_NAME, "id", msgspec.structs.replace(BY_NAME["id"], draw=draw))
    rows = [summary(f"{number:032}") for number in range(20_000)]
    dashboard = dashboard_over(reading(SourceName.API, 1, overview=overview(latest=rows), health=health()))
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await chosen(pilot)
        drawn.clear()
        await pilot.press("J")
        await pilot.pause()
        assert 0 < len(drawn) < 500


async def test_columns_show_what_the_server_knows(settings: Settings, path: Path) -> None:
    """Over a real API, worker and server: queue, caller, worker, attempts, times and the kind of an error."""
    chosen_ones = ["id", "status", "queue", "caller", "attempts", "worker", "finished", "total", "error", "fingerprint"]
    keep_columns(path, chosen_ones)
    settings = msgspec.structs.replace(settings, models=("tests.api.models:Raises",))
    async with running_api(settings) as api:
        admin = await made(api, "admin", "admin")
        asked = await api.post(
            "/predictions",
            json=[{"model": "raises", "input": {"text": "no"}, "priority": "low"}],
            headers=bearer(admin),
        )
        prediction_id = asked.json()["items"][0]["prediction"]["prediction_id"]
        async with (
            running_worker(api),
            dashboard_on(settings, token=admin, size=(200, 36), config=load_config(path)) as (dashboard, _),
        ):
            await wait_until(lambda: dashboard.view.rows[:1] and dashboard.view.rows[0].fingerprint != "")
            (row,) = dashboard.view.rows
            await wait_until(lambda: row.fingerprint in screen_text(dashboard))
            assert first_line(dashboard) == chosen_ones
            (line,) = [line for line in screen_lines(dashboard) if "✗ failed" in line]
            assert [row.prediction_id, row.priority, row.attempts] == [prediction_id, "low", 1]
            assert row.caller
            shown = [prediction_id[:12], "failed", "low", row.caller[:15], row.worker[-12:], row.error_code]
            assert [each for each in shown if each not in line] == []
