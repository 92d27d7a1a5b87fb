"""What a load may be: read from texts, bounded, and due at instants that can be computed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zypher_tui.load.inputs import MOST_BYTES, read_inputs
from zypher_tui.load.pacing import SLACK_S, Pacer
from zypher_tui.load.plan import MAX_CALLERS, MAX_RATE_PER_S, MAX_TOTAL, How, Plan, describe
from zypher_tui.load.shapes import Shape, schedule
from zypher_tui.load.texts import DEFAULTS, WrongPlan, read_plan
from zypher_tui.load.where import why_not

MODELS = ["mock", "fraud"]
RATED = [shape for shape in Shape if shape is not Shape.CALLERS]


def test_a_plan_is_read_from_texts() -> None:
    """What is not said is as in the defaults."""
    plan = read_plan({"model": "fraud@2", "how": "wait", "rate": "50/s", "for": "2m", "total": "7"}, MODELS)
    assert plan == Plan(model="fraud@2", how=How.WAIT, rate_per_s=50.0, duration_s=120.0, total=7, callers=1)
    assert plan.path == "/models/fraud/versions/2/predict"
    assert read_plan({"model": "mock", "retry_after": "honor"}, MODELS).honors_retry_after


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("model", "", "Which model? There are mock, fraud."),
        ("model", "mokc", "There is no model 'mokc'. Did you mean mock?"),
        ("model", "zzz@1", "There is no model 'zzz'. There are mock, fraud."),
        ("model", "mock@1/x", "'1/x' is no version; write one such as mock@1."),
        ("how", "asynch", "'asynch' is none of them. Did you mean async?"),
        ("shape", "x", "'x' is none of them. Known: constant, callers, ramp, spike."),
        ("rate", "fast", "'fast' is no rate; write requests per second, such as 50."),
        ("rate", "0", "'0' is no rate; write requests per second, such as 50."),
        ("rate", "201", "201/s is above the limit of 200/s; raise that if you mean it."),
        ("limit", "2001", "2,000/s is the most that this sends; a larger load wants a tool of its own."),
        ("for", "soon", "'soon' is no time; write one such as 500ms, 30s or 5m."),
        ("for", "61m", "61m is not from 100ms to 1h."),
        ("total", "0", "'0' is not from 1 to 1,000,000 requests."),
        ("total", "1000001", "'1000001' is not from 1 to 1,000,000 requests."),
    ],
)
def test_what_cannot_be_is_refused_with_the_way_out(field: str, text: str, said: str) -> None:
    """At the field that it is about."""
    with pytest.raises(WrongPlan) as error:
        read_plan({"model": "mock", field: text}, MODELS)
    assert error.value.fields == {field: said}


def test_all_that_is_wrong_is_said_at_once() -> None:
    """And only what matters to the shape."""
    with pytest.raises(WrongPlan) as error:
        read_plan({"model": "x", "rate": "x", "total": "x", "callers": "x"}, MODELS)
    assert set(error.value.fields) == {"model", "rate", "total"}
    with pytest.raises(WrongPlan) as error:
        read_plan({"model": "mock", "shape": "callers", "rate": "x", "callers": "501"}, MODELS)
    assert error.value.fields == {"callers": "'501' is not from 1 to 500 callers."}


@given(st.dictionaries(st.sampled_from(list(DEFAULTS)), st.text(max_size=12)))
def test_whatever_is_typed_is_a_bounded_plan_or_a_sentence(texts: dict[str, str]) -> None:
    """Never another error, never a plan beyond the bounds."""
    try:
        plan = read_plan({"model": "mock", **texts}, MODELS)
    except WrongPlan as error:
        sentences = list(error.fields.values())
        assert sentences
        assert all(sentence.endswith((".", "?")) for sentence in sentences)
    else:
        assert plan.total <= MAX_TOTAL
        assert plan.rate_per_s <= plan.limit_per_s <= MAX_RATE_PER_S
        assert plan.callers <= MAX_CALLERS
        assert describe(plan)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "http://127.9.9.9", "http://localhost:1", "https://[::1]:8080/x"]
)
def test_this_machine_may_be_loaded(url: str) -> None:
    """By every name that it has."""
    assert why_not(url) is None


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1:8080", "http://api:8080", "https://example.org", "http://127.0.0.1.example.org", "x", ""]
)
def test_others_may_not(url: str) -> None:
    """Unless somebody says so."""
    assert "--allow-remote" in (why_not(url) or "")


@given(st.sampled_from(RATED), st.floats(0.5, MAX_RATE_PER_S), st.floats(0.1, 20), st.integers(1, 500), st.data())
def test_requests_are_due_in_order_within_time_and_total(
    shape: Shape, rate: float, duration: float, total: int, data: st.DataObject
) -> None:
    """As many as the line says, never more than the total, never later than the end."""
    due = schedule(shape, rate_per_s=rate, duration_s=duration, total=total)
    assert due is not None
    assert due.count <= total
    numbers = sorted(data.draw(st.lists(st.integers(0, max(due.count - 1, 0)), max_size=8)))
    if due.count:
        at = [due.at_s(number) for number in numbers]
        assert at == sorted(at)
        assert all(0 <= each <= duration + 1e-9 for each in at)
        for number, each in zip(numbers, at, strict=True):
            assert due.due_by(each) == pytest.approx(number, abs=1e-3 * rate)
    assert due.length_s <= duration + 1e-9
    assert due.due_by(duration) == pytest.approx(min(due.count, total), abs=1.001)


def test_a_shape_has_its_rates() -> None:
    """Requests within each second of ten, of 100 a second."""

    def per_second(shape: Shape) -> list[int]:
        due = schedule(shape, rate_per_s=100, duration_s=10, total=100_000)
        assert due is not None
        at = [due.at_s(number) for number in range(due.count)]
        return [sum(second <= each < second + 1 for each in at) for second in range(10)]

    assert per_second(Shape.CONSTANT) == [100] * 10
    assert per_second(Shape.RAMP) == pytest.approx([5, 15, 25, 35, 45, 55, 65, 75, 85, 95], abs=1)
    assert per_second(Shape.SPIKE) == [10] * 4 + [100] * 2 + [10] * 4


@given(st.floats(1, 2_000), st.lists(st.floats(0, 0.2), min_size=1, max_size=300))
def test_no_window_has_more_than_the_limit(limit: float, pauses: list[float]) -> None:
    """Whatever asks when: the bound holds between any two requests."""
    pacer, now, left = Pacer(limit), 0.0, list[float]()
    for pause in pauses:
        now += pause
        now += pacer.wait_s(now)
        pacer.leave(now)
        left.append(now)
    for first in range(len(left)):
        for last in range(first, len(left)):
            most = limit * (left[last] - left[first] + SLACK_S) + 1
            assert last - first + 1 <= most + 1e-6


def test_inputs_are_one_value_or_one_in_each_line() -> None:
    """As they were written, to the byte."""
    assert read_inputs(b'{\n "a": 1.0\n}\n') == [b'{\n "a": 1.0\n}\n']
    assert read_inputs(b'{"a": 1}\n\n"b"\r\n[2]') == [b'{"a": 1}', b'"b"', b"[2]"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "There is no input in it"),
        (b" \n ", "There is no input in it"),
        (b"hello", "That is not JSON"),
        (b'{"a": 1}\n{"a": }', "Line 2 is not JSON"),
        (b'"\xff"', "That is not JSON"),
        (b" " * (MOST_BYTES + 1), "16,000,000 are the most"),
    ],
)
def test_wrong_inputs_are_refused(content: bytes, said: str) -> None:
    """With the line."""
    with pytest.raises(ValueError, match=said):
        read_inputs(content)
