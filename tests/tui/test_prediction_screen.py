"""One prediction's life on the screen, over the simulated system and over sources that say what the test wants."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec
import pytest

from tests.tui.facts import NOW, health, overview, reading, whole
from tests.tui.golden import golden
from tests.tui.lives import Api, lines_of, open_newest
from tests.tui.screen import SIZES, screen_lines, screen_text
from zypher_jobs.contracts.prediction import PastAttempt, Prediction, PredictionFailure, Status
from zypher_jobs.contracts.webhook import Delivery, DeliveryState, WebhookEvent
from zypher_jobs.testing import wait_until
from zypher_tui.app import Dashboard
from zypher_tui.core import cells
from zypher_tui.core.cleaning import cleaned
from zypher_tui.core.life import as_of
from zypher_tui.core.readings import SourceName
from zypher_tui.core.rows import Row
from zypher_tui.core.story import Told
from zypher_tui.core.view import View
from zypher_tui.demo_states import demo_dashboard
from zypher_tui.screens.pane import Opened
from zypher_tui.screens.prediction import PredictionScreen
from zypher_tui.widgets.predictions import PredictionTable

HOSTILE = "\x1b]0;owned\x07 [/red] [bold]x \u202e 模型 👩\u200d👧 שלום"


def dashboard_over(api: Api) -> Dashboard:
    """A dashboard that asks it every 20 ms."""
    return Dashboard({SourceName.API: lambda: api}, api_url="http://h", interval_s=0.02, clock_s=lambda: 1.0)


def row_of(view: View, wanted: Callable[[Row], bool]) -> Row:
    """The newest that is wanted."""
    return next(row for row in view.rows if wanted(row))


LIVES: dict[str, tuple[str, Callable[[Row], bool]]] = {
    "succeeded": ("live", lambda row: row.status is Status.SUCCEEDED and row.mode.value == "async"),
    "failed": ("live", lambda row: row.status is Status.FAILED and row.attempts > 1),
    "running": ("live", lambda row: row.status is Status.RUNNING and row.mode.value == "async"),
    "says": ("live", lambda row: row.status is Status.RUNNING and (row.progress or 0) > 0.3),
    "api-down": ("api-down", lambda row: row.status is Status.FAILED),
}


@pytest.mark.parametrize("life", LIVES)
async def test_the_life_of_a_prediction_looks_as_it_did(life: str) -> None:
    """In each state, at each size, to the character."""
    state, wanted = LIVES[life]
    dashboard = demo_dashboard(state)
    async with dashboard.run_test(size=SIZES[0]) as pilot:
        await wait_until(lambda: dashboard.feeds.is_reading)
        dashboard.post_message(Opened(row_of(dashboard.view, wanted).prediction_id))
        await wait_until(lambda: "esc back" in screen_text(dashboard) and "Reading" not in screen_text(dashboard))
        await wait_until(lambda: life != "says" or "◆" in screen_text(dashboard))
        await wait_until(lambda: not any(each.name == "traceback" and each.is_running for each in dashboard.workers))
        for columns, rows in SIZES:
            await pilot.resize_terminal(columns, rows)
            await pilot.pause()
            assert len(screen_lines(dashboard)) == rows
            await golden(f"life-{life}-{columns}x{rows}", partial(screen_text, dashboard))


async def test_hostile_texts_leave_the_screen_intact() -> None:
    """In input, output, error, earlier errors and the log: nothing is obeyed, every line keeps its width."""
    failure = PredictionFailure(code="model_error", message=HOSTILE * 50_000)
    past = PastAttempt(number=1, started_at=NOW, finished_at=NOW + timedelta(seconds=1), worker=HOSTILE, error=failure)
    failed = cleaned(
        whole(
            "a", status=Status.FAILED, error=failure, attempts=2, past_attempts=[past], log=[HOSTILE, "x" * 1_000_000],
            started_at=NOW + timedelta(seconds=2), finished_at=NOW + timedelta(seconds=3), trace_id=HOSTILE,
            replay_of=HOSTILE,
        )
    )  # fmt: skip
    value = {HOSTILE: HOSTILE, "long": HOSTILE * 30_000, "list": [HOSTILE] * 5}
    api = Api(msgspec.structs.replace(failed, output=value), input_json=msgspec.json.encode(value).decode())
    dashboard = dashboard_over(api)
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await open_newest(dashboard, pilot, known=1)
        await wait_until(lambda: "Input · 17 B · f shows all" in text_of(dashboard))
        for key in ("f", "f"):
            for at in range(0, 400, 30):
                dashboard.screen.query_one("#life").scroll_to(y=at, animate=False)
                await pilot.pause()
                lines = screen_lines(dashboard)
                assert not {"\x1b", "\x07", "\u202e", "\u200d"} & set("".join(lines))
                assert all(cells.width(line) == 120 for line in lines)
            await pilot.press(key)


def text_of(dashboard: Dashboard) -> str:
    """Titles of the parts too, wherever they are scrolled to."""
    titles = [str(widget.border_title) for widget in dashboard.screen.query("#life-columns *") if widget.border_title]
    return "\n".join([screen_text(dashboard), *titles])


async def test_what_a_running_prediction_says_is_heard_at_once() -> None:
    """Progress, the log with its times, the output so far; the end is read when it is told."""
    running = whole("a", status=Status.RUNNING, started_at=NOW, attempts=1, progress=0.1)
    api = Api(running)
    api.told = [
        [Told(kind="status"), Told(kind="log", text="four words", at=NOW), Told(kind="output", text="once upon ")],
        [Told(kind="output", text="a time")],
    ]
    dashboard = dashboard_over(api)
    async with dashboard.run_test(size=(120, 60)) as pilot:
        await open_newest(dashboard, pilot, known=1)
        await wait_until(lambda: "once upon a time" in screen_text(dashboard))
        assert "09:00:00   +0 ms ◇ four words" in screen_text(dashboard)
        api.predictions["a"] = msgspec.structs.replace(
            running, status=Status.SUCCEEDED, output={"said": "all"}, finished_at=NOW + timedelta(seconds=2)
        )
        await wait_until(lambda: '"said": "all"' in screen_text(dashboard))
        assert "Output so far" not in screen_text(dashboard)


async def test_an_away_source_leaves_what_was_read() -> None:
    """The line says why it is not newer; it goes on when the source is back."""
    api = Api(whole("a", status=Status.RUNNING, started_at=NOW, attempts=1))
    dashboard = dashboard_over(api)
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await open_newest(dashboard, pilot, known=1)
        await wait_until(lambda: '"input": "hello"' in screen_text(dashboard))
        api.is_away = True
        await wait_until(lambda: "As it was read last: API is away: connection refused." in screen_text(dashboard))
        api.is_away = False
        await wait_until(lambda: "As it was read last" not in screen_text(dashboard))


async def test_a_source_with_a_defect_says_so_and_is_asked_again() -> None:
    """Whatever it raises; what it brings once it is well is shown."""

    class Broken(Api):
        async def prediction(self, prediction_id: str) -> Prediction:
            if self.is_away:
                raise ValueError("bad \x1b[31m thing")
            return await super().prediction(prediction_id)

    api = Broken(whole("a", status=Status.RUNNING, started_at=NOW, attempts=1))
    api.is_away = True
    dashboard = dashboard_over(api)
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await open_newest(dashboard, pilot, known=1)
        await wait_until(lambda: "API fails: ValueError: bad ␛[31m thing" in screen_text(dashboard))
        api.is_away = False
        await wait_until(lambda: "API fails" not in screen_text(dashboard))


async def test_webhooks_are_followed_after_the_end() -> None:
    """A delivery that is pending is read again until it has come to an end."""
    ended = NOW + timedelta(seconds=1)
    api = Api(whole("a", status=Status.SUCCEEDED, started_at=NOW, finished_at=ended, attempts=1, output=1))
    pending = Delivery(
        delivery_id="d", webhook_id="wh", prediction_id="a", type=WebhookEvent.SUCCEEDED, url="https://h.example/x",
        state=DeliveryState.PENDING, created_at=ended,
    )  # fmt: skip
    api.sent = [pending]
    dashboard = dashboard_over(api)
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await open_newest(dashboard, pilot, known=1)
        await wait_until(lambda: "waits for the sender" in screen_text(dashboard))
        api.sent = [msgspec.structs.replace(pending, state=DeliveryState.FAILED)]
        await wait_until(lambda: "waits for the sender" not in screen_text(dashboard))


async def test_one_that_is_not_known_says_so() -> None:
    """A link may lead to one whose retention has ended; what is found of it later is shown."""
    api = Api()
    dashboard = dashboard_over(api)
    async with dashboard.run_test(size=(80, 24)):
        dashboard.post_message(Opened("gone"))
        await wait_until(lambda: "its retention has ended" in screen_text(dashboard))
        assert "│ gone" in screen_text(dashboard)
        api.predictions["gone"] = whole("gone")
        await wait_until(lambda: "○ queued  gone" in screen_text(dashboard))


async def test_n_and_b_go_along_the_list_it_was_opened_from() -> None:
    """The cursor goes along; the ends say so; each is read whole."""
    api = Api(*(whole(each, created_at=NOW + timedelta(seconds=at)) for at, each in enumerate("abc")))
    dashboard = dashboard_over(api)
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.press("2")
        await open_newest(dashboard, pilot, known=3)
        screen = dashboard.screen
        assert isinstance(screen, PredictionScreen)
        assert screen.prediction_id == "c"
        for key, expected in (("n", "b"), ("n", "a"), ("n", "a"), ("b", "b"), ("b", "c"), ("b", "c"), ("n", "b")):
            await pilot.press(key)
            await wait_until(lambda expected=expected: screen.prediction_id == expected)
        await pilot.press("escape")
        await wait_until(lambda: dashboard.screen is not screen)
        table = dashboard.pane.first
        assert isinstance(table, PredictionTable)
        assert table.selected is not None
        assert table.selected.prediction_id == "b"


async def test_it_copies_the_id_the_trace_the_output_and_a_command() -> None:
    """And says why not where there is none."""
    ended: dict[str, Any] = {"status": Status.SUCCEEDED, "started_at": NOW, "finished_at": NOW, "attempts": 1}
    done = whole("a", **ended, output={"é": 1}, trace_id="t" * 32)
    api = Api(done, whole("b", created_at=NOW - timedelta(seconds=1)), input_json='{"input":"it\'s"}')
    dashboard = dashboard_over(api)
    async with dashboard.run_test(size=(120, 36), notifications=True) as pilot:
        await open_newest(dashboard, pilot, known=2)
        await wait_until(lambda: "it's" in screen_text(dashboard))
        for key, expected in (("c", "a"), ("t", "t" * 32), ("o", '{"\\u00e9":1}')):
            await pilot.press(key)
            assert dashboard.clipboard == expected
        await pilot.press("y")
        assert dashboard.clipboard.startswith("curl http://h/models/mock/versions/2/predict ")
        assert dashboard.clipboard.endswith("""-d '{"input":"it'"'"'s"}'""")
        for key, said in (
            ("b", "It is the first one of the list."), ("n", "○ queued  b"), ("n", "It is the last one of the list."),
            ("o", "It has no output yet."), ("t", "It has no trace"), ("g", "It repeats no other."),
            ("l", "None of its model"), ("s", "It has no error."),
        ):  # fmt: skip
            await pilot.press(key)
            await wait_until(lambda said=said: said in screen_text(dashboard))


async def test_the_same_error_and_the_last_good_one_are_a_key_away() -> None:
    """``s`` filters by the fingerprint, ``l`` opens the good one, Esc comes back to the failed one."""
    failed: dict[str, Any] = {"status": Status.FAILED, "error": PredictionFailure(code="x", message="no digit")}
    times: dict[str, Any] = {"attempts": 1, "started_at": NOW, "finished_at": NOW + timedelta(seconds=9)}
    api = Api(
        whole("bad2", **failed, **times, created_at=NOW + timedelta(seconds=2), replay_of="good"),
        whole("bad1", **failed, **times, created_at=NOW + timedelta(seconds=1), worker="w-7"),
        whole("good", **times, status=Status.SUCCEEDED, output="fine"),
    )
    dashboard = dashboard_over(api)
    async with dashboard.run_test(size=(120, 60)) as pilot:
        await open_newest(dashboard, pilot, known=3)
        await wait_until(lambda: "1 other failed like this one" in screen_text(dashboard))
        assert "Workers: w-7." in screen_text(dashboard)
        for key in "lg":
            await pilot.press(key)
            await wait_until(lambda: '"fine"' in screen_text(dashboard))
            await pilot.press("escape")
            await pilot.pause()
            assert "no digit" in screen_text(dashboard)
        await pilot.press("s")
        await wait_until(lambda: "2 of 3 · fingerprint:ffffffff" in screen_text(dashboard))


async def test_keys_of_the_dashboard_lead_back_to_it() -> None:
    """A number shows that screen, / filters; help lies over it."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(120, 36)) as pilot:
        for key, expected in (("3", "Workers · "), ("slash", "Filter · enter keeps it")):
            await pilot.press("1", "enter")
            await pilot.pause()
            assert isinstance(dashboard.screen, PredictionScreen)
            await pilot.press(key)
            await pilot.pause()
            assert expected in screen_text(dashboard)
            await pilot.press("escape")


async def test_in_the_past_it_is_shown_as_it_was() -> None:
    """Its state and its waterfall; what has no times is said to be as it is now."""
    done = whole(
        "a", status=Status.SUCCEEDED, started_at=NOW + timedelta(seconds=5), finished_at=NOW + timedelta(seconds=8),
        attempts=1, output="fine",
    )  # fmt: skip
    api = Api(done)
    api.told = [[Told(kind="log", text=f"step {n}", at=NOW + timedelta(seconds=4 + n)) for n in (1, 2, 3)]]
    dashboard = Dashboard({SourceName.API: lambda: api}, api_url="http://h", interval_s=0.02, clock_s=lambda: 12.0)
    facts = msgspec.structs.replace(lines_of([done]), taken_at=NOW + timedelta(seconds=10))
    dashboard.store.fold(reading(SourceName.API, 1.0, overview=overview(), health=health()))
    dashboard.store.fold(reading(SourceName.API, 11.0, overview=facts, health=health()))
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.press("enter")
        await wait_until(lambda: '"fine"' in screen_text(dashboard) and "◇ step 3" in screen_text(dashboard))
        dashboard.action_step(-5)
        await pilot.pause()
        text = screen_text(dashboard)
        assert "◐ running" in text
        assert "As of then; input and output are shown as they are now." in text
        assert "Output · as it is now" in text
        assert ["step 1" in text, "step 2" in text, "step 3" in text] == [True, True, False]
        dashboard.action_pause()
        await pilot.pause()
        assert "● succeeded" in screen_text(dashboard)


def test_a_past_time_shows_the_attempt_that_ran_then() -> None:
    """Before, in, between and after attempts; what had not happened is not there."""

    def at(seconds: float) -> Any:
        return NOW + timedelta(seconds=seconds)

    failure = PredictionFailure(code="x", message="y")
    past = [
        PastAttempt(number=number, started_at=at(start), finished_at=at(end), worker=f"w{number}", error=failure)
        for number, start, end in ((1, 1, 2), (2, 4, 5))
    ]
    known = whole(
        "a", status=Status.FAILED, error=failure, attempts=3, past_attempts=past, started_at=at(8), finished_at=at(9),
        worker="w3",
    )  # fmt: skip
    now_ms = NOW.timestamp() * 1000
    for seconds, status, attempts, worker, ended in (
        (0, "queued", 0, None, 0), (1.5, "running", 1, "w1", 0), (3, "queued", 1, None, 1), (4, "running", 2, "w2", 1),
        (6, "queued", 2, None, 2), (8.5, "running", 3, "w3", 2), (9, "failed", 3, "w3", 2),
    ):  # fmt: skip
        then = as_of(known, round(now_ms + seconds * 1000))
        assert (then.status, then.attempts, then.worker, len(then.past_attempts)) == (status, attempts, worker, ended)
        assert (then.error is None) == (seconds < 9)
    assert as_of(known, round(now_ms + 99_000)) is known
