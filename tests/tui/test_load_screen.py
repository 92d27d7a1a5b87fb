"""The Load screen: its form, its keys, and what it shows of a load over a real API."""

import threading
from collections.abc import Sequence
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.api.running import RunningApi, running_api
from tests.tui.facts import health, overview, reading
from tests.tui.golden import golden
from tests.tui.screen import SIZES, screen_lines, screen_text
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.settings import Settings
from zypher_jobs.testing import wait_until
from zypher_tui.app import Dashboard
from zypher_tui.core.readings import SourceName
from zypher_tui.core.store import Store
from zypher_tui.load.desk import ApiDesk, ClosedDesk, Desk, Offer
from zypher_tui.load.meter import Meter, Outcome
from zypher_tui.load.plan import How, Plan
from zypher_tui.load.report import Report, State
from zypher_tui.load.shapes import Shape
from zypher_tui.screens.load import LoadPane
from zypher_tui.sources.source import READ_ONLY
from zypher_tui.widgets.load_chart import stretched


class PaperDesk:
    """Writes down what it is told; its report is what a test says."""

    why_not: str | None = None
    trouble = ""

    def __init__(self, report: Report | None = None) -> None:
        self.report = report
        self.started: list[tuple[Plan, Sequence[bytes]]] = []
        self.told: list[str] = []

    async def offers(self) -> list[Offer]:
        return [Offer(name="mock", example=b'{"input": "a"}'), Offer(name="fraud", example=b"[1]")]

    def start(self, plan: Plan, inputs: Sequence[bytes]) -> None:
        self.started.append((plan, inputs))

    def stop(self) -> None:
        self.told.append("stop")

    def cancel_open(self) -> None:
        self.told.append("cancel")

    def close(self) -> None:
        self.told.append("close")


def dashboard_with(desk: Desk | None) -> Dashboard:
    """A quiet dashboard with that desk."""
    store = Store()
    store.fold(reading(SourceName.API, 1.0, overview=overview(), health=health()))
    return Dashboard({}, api_url="http://127.0.0.1:8080", store=store, clock_s=lambda: 1.0, desk=desk)


async def open_load(dashboard: Dashboard) -> LoadPane:
    """Its pane, on the screen."""
    pane = dashboard.query_one(LoadPane)
    dashboard.action_open_pane(list(dashboard.query("#panes > *")).index(pane))
    await wait_until(lambda: "< mock >" in screen_text(dashboard) or "Nothing can be sent" in screen_text(dashboard))
    return pane


async def test_the_form_is_filled_in_with_tab_and_arrows_and_started_with_s() -> None:
    """What it says is what is sent; digits in a field are digits, and keys elsewhere."""
    desk = PaperDesk()
    dashboard = dashboard_with(desk)
    async with dashboard.run_test(size=(80, 24)) as pilot:
        await open_load(dashboard)
        await pilot.press("right", "tab", *"50")
        assert "50/s for 30 s: 1,500 requests" in screen_text(dashboard)
        await pilot.press("down", "space", "space")  # the callers wait: they are not of this shape
        assert "< wait >" in screen_text(dashboard)
        await pilot.press("escape", "S")
        plan, inputs = desk.started[0]
        assert (plan.model, plan.rate_per_s, plan.how, inputs) == ("fraud", 50.0, How.WAIT, [b"[1]"])
        await pilot.press("X", "x")
    assert desk.told == ["stop", "close"]


async def test_what_is_wrong_is_said_in_place_and_cannot_be_started() -> None:
    """Until it is right; the field under the cursor comes first."""
    desk = PaperDesk()
    dashboard = dashboard_with(desk)
    async with dashboard.run_test(size=(80, 24)) as pilot:
        await open_load(dashboard)
        await pilot.press("tab", *"2000")
        assert "▲ rate /s: 2000/s is above the limit of 200/s; raise that if you mean it." in screen_text(dashboard)
        await pilot.press("down", "down", "x")
        await pilot.press("down", *"30y")
        assert "▲ for: '30y' is no time; write one such as 500ms, 30s or 5m." in screen_text(dashboard)
        await pilot.press("escape", "S", "enter")
        assert desk.started == []
        await pilot.press("shift+tab", *"2000", "enter")
        assert "▲ for:" in screen_text(dashboard)


async def test_an_input_that_is_none_is_said_at_its_field() -> None:
    """When it is started: a file is not read at each key."""
    desk = PaperDesk()
    dashboard = dashboard_with(desk)
    async with dashboard.run_test(size=(80, 24)) as pilot:
        await open_load(dashboard)
        await pilot.press("down", "down", "down", *"{x", "enter", "enter")
        assert "▲ input: That is not JSON" in screen_text(dashboard)
        await pilot.press("shift+tab")
        assert desk.started == []


async def test_callers_have_no_rate() -> None:
    """The field of the other shape is passed over."""
    desk = PaperDesk()
    dashboard = dashboard_with(desk)
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await open_load(dashboard)
        await pilot.click("#load-shape", offset=(8, 0))
        assert "< callers >" in screen_text(dashboard)
        assert "10 callers for 30 s, up to 200/s: 10,000 at most" in screen_text(dashboard)
        await pilot.click("#load-line", offset=(dashboard.query_one("#load-line").size.width - 3, 0))
        assert desk.started[0][0].shape is Shape.CALLERS
        await pilot.press("escape", "1")
        assert dashboard.pane is not dashboard.query_one(LoadPane)


async def test_a_dashboard_that_may_not_says_why() -> None:
    """One without an API, one of another machine's, and while the past is shown."""
    dashboard = dashboard_with(None)
    async with dashboard.run_test(size=(80, 24)) as pilot:
        await open_load(dashboard)
        assert "Nothing can be sent from here" in screen_text(dashboard)
        await pilot.press("S")
        await pilot.press("X", "x")
        assert "○ ready" in screen_text(dashboard)
    assert "is not on this machine" in (ApiDesk("http://192.0.2.1:8080").why_not or "")
    dashboard = dashboard_with(ClosedDesk(READ_ONLY))
    async with dashboard.run_test(size=(80, 24)) as pilot:
        dashboard.action_open_pane(list(dashboard.query("#panes > *")).index(dashboard.query_one(LoadPane)))
        await wait_until(lambda: "▲ This dashboard is read-only (--read-only)" in screen_text(dashboard))
    desk = PaperDesk()
    dashboard = dashboard_with(desk)
    async with dashboard.run_test(size=(80, 24)) as pilot:
        await open_load(dashboard)
        await pilot.press("p")
        assert "▲ The past is shown, and a load is of now: p goes back to it." in screen_text(dashboard)
        await pilot.press("S")
        assert desk.started == []


def report_of(state: State, *, how: How = How.SYNC) -> tuple[Plan, Report]:
    """A load of half a minute after twelve seconds, with some of each."""
    plan = Plan(model="mock", how=how, shape=Shape.RAMP, rate_per_s=40.0)
    due, meter = plan.schedule, Meter()
    assert due is not None
    outcomes = [Outcome.OK] * 12 + list(Outcome)
    for number in range(96):
        at_s = due.at_s(number)
        meter.leaves(at_s, late_s=0.002)
        outcome = outcomes[number % len(outcomes)]
        label = "" if outcome is Outcome.OK else f"50{number % 3} model_error"
        meter.ends(outcome, at_s, took_s=0.04 + number % 7 * 0.01, label=label, said="[red]no")
    meter.tick(12.0)
    return plan, Report(
        state=state, elapsed_s=12.0, due=due.due_by(12.0), planned=due.count, left_s=18.0, sent=meter.sent,
        in_flight=meter.in_flight, held_back=3, outcomes=dict(meter.counts()), times=meter.times, due_per_s=20.0,
        sent_per_s=8.0, late_p95_ms=2.0, open=12, forgotten=1, ended={Status.SUCCEEDED: 30, Status.FAILED: 2},
        errors=meter.errors, seconds=meter.seconds,
    )  # fmt: skip


@pytest.mark.parametrize("state", [State.READY, State.RUNNING, State.ENDED])
async def test_the_screen_is_as_it_was(state: State) -> None:
    """At every size, to the character."""
    desk = PaperDesk()
    dashboard = dashboard_with(desk)
    async with dashboard.run_test(size=SIZES[0]) as pilot:
        pane = await open_load(dashboard)
        if state is not State.READY:
            plan, desk.report = report_of(state, how=How.ASYNC if state is State.ENDED else How.SYNC)
            pane.shown_plan = plan
        for columns, rows in SIZES:
            await pilot.resize_terminal(columns, rows)
            await pilot.pause()
            pane.show_view(dashboard.view)
            await pilot.pause()
            assert len(screen_lines(dashboard)) == rows
            assert "\x1b" not in screen_text(dashboard)
            await golden(f"load-{state.value}-{columns}x{rows}", partial(screen_text, dashboard))
        desk.report = None


@given(st.lists(st.none() | st.floats(0, 1e6), max_size=60), st.integers(1, 80), st.integers(1, 200))
def test_a_chart_keeps_the_highest_of_what_it_draws_together(values: list[float | None], more: int, count: int) -> None:
    """However wide it is; what is not known yet stays empty."""
    seconds = len(values) + more
    drawn = stretched(values, seconds, count)
    assert len(drawn) == count
    assert max((value for value in drawn if value is not None), default=None) == max(
        (value for value in values if value is not None), default=None
    )
    assert drawn[-1] is None or seconds > count


async def test_a_load_is_seen_stopped_and_what_it_left_is_canceled(api: RunningApi) -> None:
    """With the keys S, x and X, over a real API with nobody who works its queue off; another's prediction stays."""
    theirs = (await api.post("/predict", json={"input": "x"}, headers={"Async-Mode": "true"})).json()["prediction_id"]
    dashboard = dashboard_with(ApiDesk(str(api.base_url)))
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await open_load(dashboard)
        await pilot.press("down", "down", "space", "escape", "S")
        await wait_until(lambda: "Load · ◐ running" in screen_text(dashboard))
        await wait_until(lambda: "x stop" in screen_text(dashboard) and "● 0 ok" not in screen_text(dashboard))
        await pilot.press("x")
        await wait_until(lambda: "Load · ● ended" in screen_text(dashboard))
        await wait_until(lambda: "X cancels these" in screen_text(dashboard))
        await pilot.press("X")
        await wait_until(lambda: " 0 open " in screen_text(dashboard) and " canceled" in screen_text(dashboard))
    assert (await api.get(f"/predict/{theirs}")).json()["status"] == "queued"


async def test_a_load_ends_with_the_dashboard(api: RunningApi) -> None:
    """Its thread is gone, and nothing more is sent."""
    dashboard = dashboard_with(ApiDesk(str(api.base_url)))
    async with dashboard.run_test(size=(80, 24)) as pilot:
        await open_load(dashboard)
        await pilot.press("S")
        await wait_until(lambda: "◐ running" in screen_text(dashboard))
        assert "load" in [thread.name for thread in threading.enumerate()]
    assert "load" not in [thread.name for thread in threading.enumerate()]


async def test_an_api_that_goes_away_in_the_middle_is_shown(settings: Settings) -> None:
    """In the outcome and among the errors, and then why nothing can be started."""
    dashboard = dashboard_with(ApiDesk(f"http://127.0.0.1:{settings.port}"))
    async with dashboard.run_test(size=(120, 36)) as pilot:
        async with running_api(settings):
            await open_load(dashboard)
            await pilot.press("S")
            await wait_until(lambda: "◐ running" in screen_text(dashboard) and "● 0 ok" not in screen_text(dashboard))
        await wait_until(lambda: "connection refused" in screen_text(dashboard))
        assert "no answer" in screen_text(dashboard)
        await pilot.press("x")
        await wait_until(lambda: "The API does not answer: connection refused." in screen_text(dashboard))
        assert "● ended" in screen_text(dashboard)
