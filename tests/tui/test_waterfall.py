"""One prediction's life as spans, and as it is drawn."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tui.drawn import alone
from tests.tui.facts import NOW, whole
from tests.tui.screen import SIZES
from zypher_jobs.contracts.prediction import Mode, PastAttempt, Prediction, PredictionFailure, Status
from zypher_jobs.contracts.webhook import Delivery, DeliveryAttempt, DeliveryState, WebhookEvent
from zypher_tui.core import cells
from zypher_tui.core.cleaning import clean
from zypher_tui.core.story import Told
from zypher_tui.core.waterfall import SKEW_MS, Mark, Outcome, Span, SpanKind, Waterfall, marks_of, waterfall
from zypher_tui.widgets.waterfall import WaterfallView, nice_step, waterfall_lines

ZERO_MS = NOW.timestamp() * 1000


def at(seconds: float) -> datetime:
    """So long after the request."""
    return NOW + timedelta(seconds=seconds)


def prediction(**fields: object) -> Prediction:
    """One of the queue that succeeded: a second of waiting, two of running."""
    one = whole(
        "0f8f", status=Status.SUCCEEDED, attempts=1, started_at=at(1), finished_at=at(3), worker="w-1", version=None
    )
    return msgspec.structs.replace(one, **fields)


def past(
    number: int, start_s: float, end_s: float, code: str, message: str = "ConnectionError: refused"
) -> PastAttempt:
    """An attempt before the last."""
    return PastAttempt(
        number=number,
        started_at=at(start_s),
        finished_at=at(end_s),
        worker=f"w-{number}",
        error=PredictionFailure(code=code, message=message),
    )


def delivery(*tries: DeliveryAttempt, **fields: object) -> Delivery:
    """Of its end."""
    one = Delivery(
        delivery_id="d",
        webhook_id="wh",
        prediction_id="0f8f",
        type=WebhookEvent.SUCCEEDED,
        url="https://hooks.example/zypher?secret=1",
        state=DeliveryState.DELIVERED,
        created_at=at(3),
        log=list(tries),
    )
    return msgspec.structs.replace(one, **fields)


def told(found: Waterfall) -> list[tuple[str, float, float, str]]:
    """Name, start and duration in seconds, and outcome of each span."""
    return [
        (span.name, round(span.start_ms - ZERO_MS) / 1000, round(span.took_ms) / 1000, span.outcome.value)
        for span in found.spans
    ]


LONG = prediction(
    attempts=4,
    started_at=at(30),
    finished_at=at(40),
    past_attempts=[
        past(1, 1, 3, "model_error"),
        past(2, 7.2, 12, "worker_lost", "Its worker never reported back."),
        past(3, 14, 20, "handed_back", "Its worker drained."),
    ],
)


def test_a_life_without_trouble_is_a_wait_and_a_run() -> None:
    """In order, without a hole."""
    found = waterfall(prediction(), now_ms=ZERO_MS + 9_000)
    assert told(found) == [("in the queue", 0, 1, "passed"), ("run", 1, 2, "succeeded")]
    assert (found.start_ms, found.took_ms) == (ZERO_MS, 3_000)
    assert found.spans[1].note == "on w-1"
    assert found.sentence == "3.0 s: 67 % running, 33 % in the queue"


def test_each_attempt_has_a_span_and_each_gap_a_name() -> None:
    """What was waited for between two depends on how the one before ended."""
    assert told(waterfall(LONG, now_ms=ZERO_MS)) == [
        ("in the queue", 0, 1, "passed"),
        ("attempt 1", 1, 2, "failed"),
        ("waited for a retry", 3, 4.2, "passed"),
        ("attempt 2", 7.2, 4.8, "lost"),
        ("waited for another worker", 12, 2, "passed"),
        ("attempt 3", 14, 6, "handed back"),
        ("waited in the queue", 20, 10, "passed"),
        ("attempt 4", 30, 10, "succeeded"),
    ]
    assert waterfall(LONG, now_ms=ZERO_MS).spans[1].note == "on w-1 · ConnectionError: refused"


def test_what_goes_on_goes_on_until_now() -> None:
    """In the queue, between attempts, and running."""
    queued = prediction(status=Status.QUEUED, attempts=0, started_at=None, finished_at=None, queue_position=3)
    found = waterfall(queued, now_ms=ZERO_MS + 5_000)
    assert told(found) == [("in the queue", 0, 5, "open")]
    assert found.spans[0].note == "3 ahead"
    again = msgspec.structs.replace(queued, attempts=1, past_attempts=[past(1, 1, 2, "model_error")])
    assert told(waterfall(again, now_ms=ZERO_MS + 5_000))[-1] == ("waited for a retry", 2, 3, "open")
    running = prediction(status=Status.RUNNING, finished_at=None, progress=0.4, progress_message="tokenizing")
    found = waterfall(running, now_ms=ZERO_MS + 5_000)
    assert told(found)[-1] == ("run", 1, 4, "open")
    assert found.spans[-1].note == "on w-1 · 40 % · tokenizing"


@pytest.mark.parametrize("status", [Status.CANCELED, Status.EXPIRED])
def test_one_that_never_ran_ended_in_the_queue(status: Status) -> None:
    """Or between two attempts."""
    never = prediction(status=status, attempts=0, started_at=None, finished_at=at(8))
    assert told(waterfall(never, now_ms=ZERO_MS + 99_000)) == [("in the queue", 0, 8, status.value)]
    between = prediction(status=status, finished_at=at(8), past_attempts=[past(1, 1, 2, "model_error")])
    assert told(waterfall(between, now_ms=ZERO_MS + 99_000))[-1] == ("waited for a retry", 2, 6, status.value)


def test_attempts_that_were_not_kept_are_counted() -> None:
    """The server keeps the last ones."""
    found = waterfall(prediction(attempts=7, past_attempts=[past(6, 0.5, 0.8, "model_error")]), now_ms=ZERO_MS)
    assert found.spans[0].note == "5 earlier attempts not kept"
    assert waterfall(prediction(attempts=2), now_ms=ZERO_MS).spans[0].note == "1 earlier attempt not kept"


def test_loading_the_model_is_a_span_of_its_own() -> None:
    """Where the server says how long it took."""

    class Loaded(Prediction, frozen=True, kw_only=True):
        load_ms: float | None = None

    fields = {name: getattr(prediction(), name) for name in Prediction.__struct_fields__}
    fields["load_ms"] = 500.0
    assert told(waterfall(Loaded(**fields), now_ms=ZERO_MS)) == [
        ("in the queue", 0, 1, "passed"),
        ("loaded the model", 1, 0.5, "passed"),
        ("run", 1.5, 1.5, "succeeded"),
    ]


def test_a_synchronous_one_waits_for_no_queue() -> None:
    """Unless it did wait."""
    sync = prediction(mode=Mode.SYNC, started_at=at(0))
    assert told(waterfall(sync, now_ms=ZERO_MS)) == [("run", 0, 3, "succeeded")]


def test_webhooks_are_told_after_the_end_and_again() -> None:
    """Each try, what was answered, and what lies between; the next one if there is one."""
    tries = (
        DeliveryAttempt(at=at(3.1), duration_ms=200, status=503, error="Service Unavailable"),
        DeliveryAttempt(at=at(8.3), duration_ms=100, status=200),
    )
    found = waterfall(prediction(), now_ms=ZERO_MS, deliveries=[delivery(*tries)])
    assert told(found)[2:] == [
        ("waited for the sender", 3, 0.1, "passed"),
        ("webhook hooks.example", 3.1, 0.2, "failed"),
        ("waited to try again", 3.3, 5, "passed"),
        ("webhook hooks.example", 8.3, 0.1, "succeeded"),
    ]
    assert [span.note for span in found.spans[2:]] == ["", "503 Service Unavailable", "", "200"]
    pending = delivery(tries[0], state=DeliveryState.PENDING, next_attempt_at=at(300))
    last = waterfall(prediction(), now_ms=ZERO_MS + 60_000, deliveries=[pending]).spans[-1]
    assert (last.name, last.outcome, last.note) == ("waits to try again", Outcome.OPEN, "next try in 4m00s")
    assert found.sentence == waterfall(prediction(), now_ms=ZERO_MS).sentence, "the caller had its answer by then"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://user:pass@hooks.example:8443/a?b#c", "webhook hooks.example"),
        ("http://[::1]:9000", "webhook [::1]"),
        ("nothing like it", "webhook wh"),
    ],
)
def test_a_webhook_is_called_by_its_host(url: str, name: str) -> None:
    """Never by what may be a secret in its address."""
    one = delivery(DeliveryAttempt(at=at(3), duration_ms=5, status=200), url=url)
    assert waterfall(prediction(), now_ms=ZERO_MS, deliveries=[one]).spans[-1].name == name


def log_at(seconds: float) -> Mark:
    """A line that the model logged then."""
    return Mark(kind="log", at_ms=ZERO_MS + 1000 * seconds, text=f"line {seconds}")


def test_marks_are_those_of_its_life_in_order_of_time() -> None:
    """A worker's clock that goes a little wrong puts one at the edge; what is far beside is none of it."""
    seconds = [9.0, 3.1, 2.5, 1.0, -0.1, -9.0]
    found = waterfall(prediction(), now_ms=ZERO_MS, marks=[log_at(each) for each in seconds])
    assert found.marks == tuple(log_at(each) for each in (-0.1, 1.0, 2.5, 3.1))
    assert found.end_ms == ZERO_MS + 3_000, "they make nothing longer"
    assert SKEW_MS < 6_000
    drawn = "".join(text for text, _ in waterfall_lines(found, 80)[-1])
    assert drawn.count("◇") == 4
    assert drawn[24:].startswith(" ◇")


def test_what_has_no_time_is_no_mark() -> None:
    """Progress says how far and what, a line of the log its text."""
    said = [
        Told(kind="progress", progress=0.4, text="tokenising", at=at(1)),
        Told(kind="log", text="no time"),
        Told(kind="log", text="done", at=at(2)),
        Told(kind="progress", progress=0.9),
    ]
    assert marks_of(said) == [
        Mark(kind="progress", at_ms=ZERO_MS + 1_000, text="40 % · tokenising"),
        Mark(kind="log", at_ms=ZERO_MS + 2_000, text="done"),
    ]


def test_marks_stand_between_the_run_and_its_webhooks() -> None:
    """At their time under the bar, the last one with its text."""
    tries = DeliveryAttempt(at=at(3), duration_ms=1000, status=200)
    marks = [Mark(kind="progress", at_ms=ZERO_MS + 1_000 * second, text=f"step {second}") for second in (1, 2)]
    found = waterfall(prediction(), now_ms=ZERO_MS, deliveries=[delivery(tries)], marks=[log_at(1.5), *marks])
    lines = ["".join(text for text, _ in parts) for parts in waterfall_lines(found, 120)]
    assert [line.split()[0] for line in lines[1:]] == ["in", "run", "progress", "log", "webhook"]
    assert [at for at, cell in enumerate(lines[3]) if cell == "◆"] == [lines[2].index("█"), lines[2].index("█") + 20]
    assert "◆ step 2" in lines[3]
    assert lines[3].rstrip().endswith("+2.0 s")
    assert "◇ line 1.5" in lines[4]


seconds = st.floats(-5, 500)


@settings(deadline=None)
@given(
    st.sampled_from(Status),
    st.lists(st.tuples(seconds, seconds, st.sampled_from(["model_error", "worker_lost", "handed_back"])), max_size=4),
    st.none() | seconds,
    st.none() | seconds,
    seconds,
    st.integers(12, 200),
    st.lists(st.tuples(st.sampled_from(["progress", "log"]), seconds, st.text(max_size=40))),
)
def test_spans_follow_each_other_whatever_the_clocks_said(
    status: Status,
    attempts: list[tuple[float, float, str]],
    started_s: float | None,
    finished_s: float | None,
    now_s: float,
    width: int,
    said: list[tuple[str, float, str]],
) -> None:
    """None goes back in time, none lies outside, and every line fits."""
    one = prediction(
        status=status,
        attempts=len(attempts) + 1,
        started_at=None if started_s is None else at(started_s),
        finished_at=None if finished_s is None or not status.is_terminal else at(finished_s),
        past_attempts=[past(n + 1, *times) for n, times in enumerate(attempts)],
    )
    marks = marks_of(Told(kind=kind, at=at(when_s), text=clean(text)) for kind, when_s, text in said)
    found = waterfall(one, now_ms=ZERO_MS + 1000 * now_s, marks=marks)
    end_ms = found.start_ms
    for span in found.spans:
        assert span.took_ms >= 0
        assert span.start_ms >= end_ms - 1
        end_ms = span.end_ms
    assert found.end_ms == max(end_ms, found.start_ms)
    for parts in waterfall_lines(found, width):
        assert sum(cells.width(text) for text, _ in parts) <= max(width, 24)


HOSTILE = past(2, 7.2, 12, "worker_lost", "模型 [/red] " * 30)


@pytest.mark.parametrize("size", [*SIZES, (40, 20), (20, 6)])
async def test_it_is_drawn_at_any_size(size: tuple[int, int]) -> None:
    """An axis, bars, what came of each, and its duration."""
    widget = WaterfallView(id="waterfall")
    attempts = [LONG.past_attempts[0], HOSTILE, LONG.past_attempts[2]]
    tries = DeliveryAttempt(at=at(40.5), duration_ms=900, status=200)
    found = waterfall(
        msgspec.structs.replace(LONG, past_attempts=attempts),
        now_ms=ZERO_MS,
        deliveries=[delivery(tries, created_at=at(40))],
        marks=[Mark(kind="progress", at_ms=ZERO_MS + 35_000, text="模型 [/red] " * 30)],
    )
    async with alone(widget, size) as (app, pilot):
        app.check_widths()
        widget.show(found)
        await pilot.pause()
        app.check_widths()
        if size in SIZES:
            lines = app.lines
            assert "╷0" in lines[0]
            assert "╷10.0 s" in lines[0]
            assert "waited for a retry" in lines[3]
            assert "░" in lines[3]
            assert lines[3].rstrip().endswith("4.2 s")
            assert "✗ failed on w-1" in lines[2]
            assert "█" in lines[8]
            assert "◆" in lines[9]
            assert "+35.0 s" in lines[9]
        widget.show(None)
        await pilot.pause()
        assert "█" not in app.text


def test_a_span_too_short_to_see_has_a_cell() -> None:
    """A run of 5 ms after an hour of waiting, too."""
    short = prediction(started_at=at(3_600), finished_at=at(3_600.005))
    lines = waterfall_lines(waterfall(short, now_ms=ZERO_MS), 80)
    assert "█" in "".join(text for text, _ in lines[2])
    assert "5 ms" in "".join(text for text, _ in lines[2])


@settings(deadline=None)
@given(st.floats(0, 1e10))
def test_steps_of_the_axis_are_round(least_ms: float) -> None:
    """And not below what there is room for."""
    step_ms = nice_step(least_ms)
    assert step_ms >= min(least_ms, step_ms) * (1 - 1e-6)
    assert step_ms >= least_ms * (1 - 1e-6)
    assert step_ms <= max(12 * least_ms, 1)


def test_words_of_a_span_are_not_its_colour() -> None:
    """Glyph, word and colour, always."""
    bad = Span(kind=SpanKind.RUN, name="run", start_ms=0, end_ms=1_000, outcome=Outcome.LOST)
    text = "".join(part for part, _ in waterfall_lines(Waterfall(start_ms=0, end_ms=1_000, spans=(bad,)), 80)[1])
    assert "✗ lost" in text
    assert at(0).tzinfo is UTC
