"""The dashboard over a recording: any of its times, and nothing that needs a server."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from tests.tui.recordings import HEADER, recorded
from tests.tui.screen import screen_lines, screen_text, told
from zypher_jobs.testing import wait_until
from zypher_tui.core.items import RETRY
from zypher_tui.core.readings import SourceName
from zypher_tui.core.recording import Line, WrongRecording
from zypher_tui.core.tape import Tape
from zypher_tui.replaying import ReplayDashboard
from zypher_tui.sources.demo import DemoSource, DemoSystem
from zypher_tui.sources.replayed import Loading, Replayed, load

LONG_S = 60
AWAY_S = range(30, 40)


@pytest.fixture(scope="module")
def a_recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute of the simulated system, whose API is away for ten seconds."""
    system, tape, lines = DemoSystem(), Tape(previews=True), list[Line]()
    sources = [DemoSource(name, system, lambda: 0.0) for name in SourceName]
    for second in range(1, LONG_S + 1):
        system.away.clear()
        if second in AWAY_S:
            system.away.add(SourceName.API)
        readings = [source.read_at(second, overview=True) for source in sources]
        for reading in readings:
            if reading.overview is not None:
                tape.see(reversed(reading.overview.latest))
        lines += tape.lines(readings, HEADER.started_at + timedelta(seconds=second))
    return recorded(tmp_path_factory.mktemp("replay") / "incident.zyr", *lines)


@pytest.fixture
def replayed(a_recording: Path) -> Replayed:
    """It, read."""
    return load(a_recording)


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
async def test_it_says_what_it_shows(replayed: Replayed, size: tuple[int, int]) -> None:
    """Which file, and from when, as far as there is room; and which time of it."""
    dashboard = ReplayDashboard(replayed)
    async with dashboard.run_test(size=size) as pilot:
        await pilot.pause()
        first = screen_lines(dashboard)[0].rstrip()
        assert first.endswith(
            "replay of incident.zyr, recorded at 2026-11-03 09:00" if size[0] > 80 else "replay of incident.zyr"
        )
        assert "09:01:00 · 0 s before the end" in screen_text(dashboard)
        assert "API ● up" in first


async def test_time_is_scrubbed(replayed: Replayed) -> None:
    """Back to the outage and out of it, never beyond its ends; predictions are as they were."""
    dashboard = ReplayDashboard(replayed)
    async with dashboard.run_test(size=(120, 36)) as pilot:
        at_end = len(dashboard.view.rows)
        await pilot.press("[", "[", "[")
        assert "09:00:30 · 30 s before the end" in screen_text(dashboard)
        assert "away" in screen_lines(dashboard)[0]
        assert "Figures come straight from Redis." in screen_text(dashboard)
        assert 0 < len(dashboard.view.rows) < at_end
        await pilot.press("{")
        assert "09:00:01 · 59 s before the end" in screen_text(dashboard)
        await pilot.press("}")
        assert "09:01:00 · 0 s before the end" in screen_text(dashboard)


async def test_it_goes_on_from_a_time(replayed: Replayed) -> None:
    """``p`` lets it run as fast as it was, until it is pressed again."""
    dashboard = ReplayDashboard(replayed, at_s=replayed.first_s + 5)
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.press("p")
        await wait_until(lambda: dashboard.view.now_s >= replayed.first_s + 6)
        await pilot.press("p")
        stopped_s = dashboard.view.now_s
        await pilot.pause(0.6)
        assert dashboard.view.now_s == stopped_s


RECORDING = "This is a recording of 2026-11-03 09:00: nothing acts on it."


async def test_every_key_that_acts_says_that_it_is_a_recording(replayed: Replayed) -> None:
    """Not that it is the past, that the API is away, or that nothing may be changed: no key leads out of a file."""
    dashboard = ReplayDashboard(replayed)
    async with dashboard.run_test(size=(120, 36), notifications=True) as pilot:
        for place, keys in {
            "2": ("r", "x", "D", "R", "X", "P"),
            "2 space space": ("r", "x", "D"),
            "2 enter": ("r", "x", "D", "e", "escape"),
            "4": ("T", "B", "L", "U"),
            "5": ("r", "R", "D"),
            "1 a": ("r",),
        }.items():
            await pilot.press(*place.split())
            if place == "1 a":  # to the first item that can be retried
                items = dashboard.view.items
                await pilot.press(*["down"] * next(at for at, item in enumerate(items) if RETRY in item.acts))
            for key in keys:
                dashboard.clear_notifications()
                await pilot.press(key)
                if key != "escape":
                    assert [each[: len(RECORDING)] for each in told(dashboard)] == [RECORDING], (place, key)
        await pilot.press("6", "S")
        assert RECORDING in screen_text(dashboard)


async def test_a_prediction_opens_with_what_its_line_says(replayed: Replayed) -> None:
    """The rest was never in the file; nothing can be done to it, and the screen says why."""
    dashboard = ReplayDashboard(replayed)
    assert dashboard.deeds.why_not() is not None
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.press("2", "enter")
        await wait_until(lambda: "no source is connected" in screen_text(dashboard))
        await pilot.press("escape", "3", "4", "5", "6", "1")
        await pilot.pause()
        assert "replay of incident.zyr" in screen_text(dashboard)


async def test_an_open_prediction_has_the_times_of_the_recording(replayed: Replayed) -> None:
    """Its bar says what that of the panes does: how far before the end it is, and what ``p`` does."""
    dashboard = ReplayDashboard(replayed, at_s=replayed.last_s - 5)
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.press("2", "enter")
        await wait_until(lambda: "5 s before the end" in screen_text(dashboard))
        assert "p play or stop" in screen_text(dashboard)


@pytest.mark.parametrize("back_s", [None, 50.0])
async def test_it_is_shown_while_it_is_read(a_recording: Path, back_s: float | None) -> None:
    """How far that is, and what is read so far; then the time that was asked for."""
    loading = Loading(a_recording)
    replayed, may_go_on = loading.replayed, asyncio.Event()
    assert loading.step(0)
    wanted_s = None if back_s is None else replayed.header.started_at.timestamp() + LONG_S - back_s

    def read_on(_: float) -> bool:
        return loading.step(0) if may_go_on.is_set() else True

    dashboard = ReplayDashboard(replayed, read_on=read_on, at_s=wanted_s)
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        assert f"{replayed.share:.0%} read" in screen_lines(dashboard)[0]
        assert 0 < replayed.share < 1
        assert dashboard.view.has_figures
        may_go_on.set()
        await wait_until(lambda: "recorded at" in screen_lines(dashboard)[0])
        assert dashboard.view.now_s == pytest.approx(replayed.last_s if wanted_s is None else wanted_s)
    assert len(replayed.store.book) == len(load(a_recording).store.book)


async def test_who_has_chosen_a_time_stays_there(a_recording: Path) -> None:
    """While the rest is read."""
    loading = Loading(a_recording)
    assert loading.step(0)
    may_go_on = asyncio.Event()
    dashboard = ReplayDashboard(
        loading.replayed, read_on=lambda _: loading.step(0) if may_go_on.is_set() else True, at_s=None
    )
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.press("{")
        chosen_s = dashboard.view.now_s
        may_go_on.set()
        await wait_until(lambda: loading.replayed.share == 1.0)
        await wait_until(lambda: "recorded at" in screen_lines(dashboard)[0])
        assert dashboard.view.now_s == chosen_s == loading.replayed.first_s


async def test_what_turns_out_to_be_none_ends_it_with_a_sentence(a_recording: Path) -> None:
    """It was shown before that was known."""
    loading = Loading(a_recording)
    assert loading.step(0)

    def read_on(_: float) -> bool:
        raise WrongRecording("Most of it cannot be understood.")

    dashboard = ReplayDashboard(loading.replayed, read_on=read_on)
    async with dashboard.run_test(size=(120, 36)):
        await wait_until(lambda: dashboard.return_value == 2)
    assert str(dashboard.wrong) == "Most of it cannot be understood."


async def test_it_leads_to_what_needed_attention(replayed: Replayed) -> None:
    """All of it is looked at behind the screen; then a key leads to the next trouble, and back, and to both ends."""
    dashboard = ReplayDashboard(replayed, at_s=replayed.first_s)
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await wait_until(lambda: replayed.store.attention.at(replayed.last_s) is not None)
        moments = replayed.store.attention.moments
        away = next(each for each in moments if each.item.sentence.startswith("API"))
        assert AWAY_S[0] <= away.at_s - replayed.header.started_at.timestamp() <= AWAY_S[-1]
        bar = screen_lines(dashboard)[2]
        assert bar.count("▲") >= 1
        assert "( ) trouble" in bar
        seen: list[float] = []
        for _ in range(len(moments) + 1):
            await pilot.press(")")
            seen.append(dashboard.view.now_s)
        later = [each.at_s for each in moments if each.at_s > replayed.first_s]
        assert seen[: len(later)] == later
        assert any(item.key == away.item.key for item in dashboard.store.view(replayed.last_s, at_s=away.at_s).items)
        await pilot.press("ctrl+home")
        assert dashboard.view.now_s == replayed.first_s
        await pilot.press("ctrl+end", "(")
        assert dashboard.view.now_s == max(each.at_s for each in moments if each.at_s < replayed.last_s)


async def test_the_next_trouble_waits_until_all_was_looked_at(a_recording: Path) -> None:
    """It says how far that is."""
    loading = Loading(a_recording)
    assert loading.step(0)
    dashboard = ReplayDashboard(loading.replayed, read_on=lambda _: True)
    async with dashboard.run_test(size=(120, 36)) as pilot:
        before_s = dashboard.view.now_s
        await pilot.press(")")
        await wait_until(lambda: any("still looked through" in each for each in told(dashboard)))
        assert dashboard.view.now_s == before_s
