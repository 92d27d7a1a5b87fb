"""Recording from the dashboard: what it knew before the key was pressed, and what it saw until the next."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from tests.tui.screen import screen_lines, told
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.testing import wait_until
from zypher_tui.app import Dashboard
from zypher_tui.core.known import EVER
from zypher_tui.core.readings import SourceName
from zypher_tui.core.recording import FrameLine, RowsLine
from zypher_tui.core.store import Store
from zypher_tui.core.view import View
from zypher_tui.replaying import ReplayDashboard
from zypher_tui.saving import Saving, Wanted
from zypher_tui.sources.demo import DemoSource, DemoSystem
from zypher_tui.sources.recording_file import RecordingThere
from zypher_tui.sources.replay import Replay
from zypher_tui.sources.replayed import load
from zypher_tui.top.replayed import Moment, seen_at
from zypher_tui.widgets.dialogs import Lines

LONG_S = 60
AWAY_S = range(30, 40)
EARLIER_S = 20.0


@pytest.fixture
def store() -> Store:
    """A minute of the simulated system was watched; its API was away for ten seconds."""
    store, system = Store(), DemoSystem()
    sources = [DemoSource(name, system, lambda: 0.0) for name in SourceName]
    for second in range(1, LONG_S + 1):
        system.away.clear()
        if second in AWAY_S:
            system.away.add(SourceName.API)
        store.fold(
            *[source.read_at(second, overview=True) for source in sources if store.links.wants(source.name, second)]
        )
    return store


def dashboard_of(store: Store) -> Dashboard:
    """A dashboard that shows it, at its end."""
    return Dashboard({}, api_url="http://127.0.0.1:8080", store=store, clock_s=lambda: float(LONG_S))


async def saved(store: Store, wanted: Wanted, **more: float) -> Saving:
    """What was seen so far, written."""
    saving = Saving(store, wanted, clock_s=lambda: float(LONG_S), **more)
    await saving.run()
    return saving


def shown(view: View) -> object:
    """What a person sees of it: figures, who was away, and predictions as they were."""
    rows = [row if view.as_of_ms is None else row.as_of(view.as_of_ms) for row in view.rows]
    return (
        view.figures,
        [(link.source, link.link, link.reason) for link in view.links],
        [(row.prediction_id, row.status, row.model, row.worker, row.error_code, row.input_preview) for row in rows],
    )


def files(directory: Path) -> list[Path]:
    """What is in it."""
    return [*directory.iterdir()]


def asked(dashboard: Dashboard) -> str:
    """What the question says below its fields."""
    lines = dashboard.screen.query_one("#record-lines", Lines)
    return " ".join(text.strip() for parts in lines._lines for text, _ in parts)  # pyright: ignore[reportPrivateUsage]


async def test_what_was_seen_is_seen_again(store: Store, tmp_path: Path) -> None:
    """Saved at the end: each time shows what the dashboard itself shows when it goes back there."""
    saving = await saved(store, Wanted(path=tmp_path / "incident.zyr", since_s=EVER, goes_on=False))
    assert saving.why == ""
    again = load(saving.path)
    assert again.amiss is None
    assert len(again.store.book) == len(store.book)
    assert len(again.store.timeline) == len(store.timeline)
    epoch_s = again.last_s - LONG_S
    for at_s in (5.0, 29.0, 35.0, 45.0, 60.0):
        there = again.store.view(again.last_s, at_s=epoch_s + at_s + 0.001)
        here = store.view(float(LONG_S), at_s=at_s + 0.001)
        assert shown(there) == shown(here), at_s
        assert (there.notice or "").partition(".")[0] == (here.notice or "").partition(".")[0]


async def test_it_begins_when_it_is_told_to(store: Store, tmp_path: Path) -> None:
    """Neither frames nor predictions of before are in it, but for those that had not ended."""
    saving = await saved(store, Wanted(path=tmp_path / "late.zyr", since_s=LONG_S - EARLIER_S, goes_on=False))
    again = load(saving.path)
    assert again.last_s - again.first_s == pytest.approx(EARLIER_S, abs=1.5)
    begin_ms = again.first_s * 1000 - 1500
    assert 0 < len(again.store.book) < len(store.book)
    assert all(row.finished_ms is None or row.finished_ms >= begin_ms for row in again.store.book)


async def test_one_time_of_it_is_as_it_was(store: Store, tmp_path: Path) -> None:
    """``zypher top --replay --at``: no prediction is in a status that it had only later."""
    saving = await saved(store, Wanted(path=tmp_path / "incident.zyr", since_s=EVER, goes_on=False))
    seen = seen_at(Moment(path=saving.path, at="+20s"))
    assert seen.overview is not None
    assert seen.overview.latest
    assert all(row.created_at <= seen.overview.taken_at for row in seen.overview.latest)
    assert all(row.finished_at is None or row.finished_at <= seen.overview.taken_at for row in seen.overview.latest)
    assert {row.status for row in seen.overview.latest} & {Status.RUNNING, Status.QUEUED}


async def test_inputs_and_outputs_are_left_out_if_asked(store: Store, tmp_path: Path) -> None:
    """Also of what was known before."""
    saving = await saved(store, Wanted(path=tmp_path / "bare.zyr", since_s=EVER, goes_on=False, previews=False))
    replay = Replay(saving.path)
    rows = [row for line in replay.lines() if isinstance(line, RowsLine) for row in line.rows]
    assert not replay.header.has_previews
    assert rows
    assert not any(row.input_preview or row.output_preview for row in rows)


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_the_key_begins_and_ends_it(
    store: Store, tmp_path: Path, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what will be in it, the first line says that it goes on, and the file shows what came meanwhile."""
    monkeypatch.chdir(tmp_path)
    dashboard = dashboard_of(store)
    async with dashboard.run_test(size=size) as pilot:
        await pilot.press("W")
        await wait_until(lambda: "It begins 59 s ago" in asked(dashboard))
        await pilot.press("enter")
        await wait_until(lambda: "● rec" in screen_lines(dashboard)[0])
        (path,) = files(tmp_path)
        assert path.name.startswith("zypher-20")
        assert path.stat().st_mode & 0o777 == 0o600
        store.book.fold([msgspec.structs.replace(store.book.rows[-1].summary(), prediction_id="later")])
        await pilot.press("W")
        await wait_until(lambda: "Recorded" in " ".join(told(dashboard)))
        await wait_until(lambda: "rec" not in screen_lines(dashboard)[0])
    assert "later" in {row.prediction_id for row in load(path).store.book}
    (said,) = dashboard.recordist.said
    assert said.endswith(f"zypher tui --replay {path.name}")


async def test_nothing_is_overwritten_unless_asked(store: Store, tmp_path: Path) -> None:
    """A file that is there, a place where nobody may write and a choice that cannot be meant are said in place."""
    there = tmp_path / "there.zyr"
    there.write_text("precious")
    dashboard = dashboard_of(store)
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.press("W")
        await pilot.pause()
        field = dashboard.screen.query_one("#record-file")
        for name, why in (
            (str(there), "exists already: choose another name"),
            (str(tmp_path / "nowhere" / "x"), "no such file or directory"),
            (" ", "needs a name"),
        ):
            field.value = name  # pyright: ignore[reportAttributeAccessIssue]
            await pilot.pause()
            await pilot.press("enter")
            await wait_until(lambda why=why: why in asked(dashboard))
        assert there.read_text() == "precious"
        await pilot.press("up", "space")  # the last choice: overwrite it
        field.value = "/dev/full"  # pyright: ignore[reportAttributeAccessIssue]
        await pilot.pause()
        await pilot.press("enter")
        await wait_until(lambda: "no space left on device" in asked(dashboard))
        field.value = str(there)  # pyright: ignore[reportAttributeAccessIssue]
        await pilot.pause()
        await pilot.press("enter")
        await wait_until(lambda: "● rec" in screen_lines(dashboard)[0])
    assert load(there).amiss is None
    with pytest.raises(RecordingThere):
        Saving(store, Wanted(path=there), clock_s=lambda: float(LONG_S))


async def test_a_dashboard_that_is_quit_ends_its_recording(store: Store, tmp_path: Path) -> None:
    """The file has its end, and what stays in the terminal says where it is."""
    dashboard = dashboard_of(store)
    async with dashboard.run_test(size=(120, 36)):
        dashboard.recordist.begin(Wanted(path=tmp_path / "quit.zyr", since_s=EVER))
    assert load(tmp_path / "quit.zyr").amiss is None
    assert len(dashboard.recordist.said) == 1


async def a_recording_that_goes_on(store: Store, path: Path) -> tuple[Saving, asyncio.Task[None]]:
    """It has written all that was known."""
    saving = Saving(store, Wanted(path=path, since_s=EVER), clock_s=lambda: float(LONG_S))
    task = asyncio.create_task(saving.run())
    await wait_until(lambda: saving.standing.share is None)
    return saving, task


async def test_a_file_that_is_deleted_ends_it(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux would go on writing into it, and nobody would ever see that."""
    monkeypatch.setattr("zypher_tui.saving.EVERY_S", 0.05)
    saving, task = await a_recording_that_goes_on(store, tmp_path / "gone.zyr")
    saving.path.unlink()
    await task
    assert saving.why == "its file was deleted"


async def test_a_recording_has_its_limit(store: Store, tmp_path: Path) -> None:
    """Then it ends in order."""
    saving = await saved(store, Wanted(path=tmp_path / "small.zyr", since_s=EVER), max_bytes=20_000)
    assert "it has reached" in saving.why
    again = load(saving.path)
    assert again.amiss is None
    assert saving.path.stat().st_size >= 20_000


async def test_a_replay_is_a_recording_already(store: Store, tmp_path: Path) -> None:
    """The key says which."""
    saving = await saved(store, Wanted(path=tmp_path / "incident.zyr", since_s=EVER, goes_on=False))
    dashboard = ReplayDashboard(load(saving.path))
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.press("W")
        await wait_until(lambda: "This is a recording already" in " ".join(told(dashboard)))


async def test_frames_are_in_the_order_of_time(store: Store, tmp_path: Path) -> None:
    """So are rows: a reader may stop at a time."""
    saving = await saved(store, Wanted(path=tmp_path / "incident.zyr", since_s=EVER, goes_on=False))
    lines = list(Replay(saving.path).lines())
    assert [line.at for line in lines] == sorted(line.at for line in lines)
    assert sum(isinstance(line, FrameLine) for line in lines) == len(store.timeline)
    ids = [row.prediction_id for line in lines if isinstance(line, RowsLine) for row in line.rows]
    assert len(ids) == len(set(ids)) == len(store.book)
