"""The language in which a list of predictions is filtered."""

import contextlib
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tui.facts import summary
from zypher_jobs.contracts.prediction import Mode, PredictionFailure, Status
from zypher_tui.core.filters import CHOICES, TEXTS, WrongFilter, parse
from zypher_tui.core.rows import Row, ms_of

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
NOW_MS = ms_of(NOW)
ROW = Row.of(summary(
    "0f8fad5bd9cb",
    model="fraud-v2",
    status=Status.FAILED,
    mode=Mode.ASYNC,
    worker="worker-1",
    caller="3f9a1c0b7d2e",
    input_preview='{"card":"A [1]?"}',
    error=PredictionFailure(code="model_error", message="ValueError: connection refused"),
    attempts=2,
    created_at=NOW - timedelta(minutes=30),
    started_at=NOW - timedelta(minutes=30),
    finished_at=NOW - timedelta(minutes=30) + timedelta(milliseconds=250),
))  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "status:failed",
        "status:Failed",
        "status:queued,failed",
        "status:fail*",
        "model:fraud*",
        "model:*v2",
        "-status:succeeded",
        "age<1h",
        "age>=30m",
        "run>0.2s",
        "run<=250ms",
        "attempts>1",
        "created>=11:30",
        "created<11:30:01",
        "created>14:05",
        "finished>2026-11-25T11:30:00Z",
        "finished<=2026-11-25t12:30:00.250+01:00",
        "refused",
        "REFUSED",
        '"connection refused"',
        "0f8f",
        "3f9a1c",
        "id:0f8fad5bd9cb",
        'input:"*[1]?*"',
        "error:model_error",
        "status:failed  model:fraud* age<1h -mode:sync refused",
        "wait<1s",
        "-wait>=1s",
        "total<1s",
    ],
)
def test_it_keeps_what_fits(text: str) -> None:
    """Every term, in any case."""
    assert parse(text).keeps(ROW, NOW_MS)


@pytest.mark.parametrize(
    "text",
    [
        "status:succeeded",
        "-status:failed",
        "model:fraud",
        "age<30m",
        "age>1d",
        "run<250ms",
        "attempts>2",
        "accepted",
        '"refused connection"',
        "status:failed model:mock",
        "wait>=1s",
        "input:*[1x]*",
    ],
)
def test_it_drops_what_does_not(text: str) -> None:
    """One term that does not hold is enough; what there is not is neither more nor less."""
    assert not parse(text).keeps(ROW, NOW_MS)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("status:faild", "No status is called 'faild'. Did you mean failed?"),
        ("staus:failed", "There is no key 'staus'. Did you mean status?"),
        ("age:1h", "age is compared by < and >, such as age<1s."),
        ("model<3", "model is compared by :, such as model:a*."),
        ("age<soon", "age< takes a time such as 200ms, 30s, 5m, 2h or 1d, not 'soon'."),
        ("attempts>1s", "attempts> takes a whole number, not '1s'."),
        ("created:14:05", "created is compared by < and >, such as created>14:05."),
        ("finishd>14:05", "There is no key 'finishd'. Did you mean finished?"),
        ("finished<soon", "finished< takes 14:05, 14:05:30 or 2026-11-03T14:05:30Z, not 'soon'."),
        ("status:", "status: has nothing behind it."),
        ('"no end', "A quote has no end."),
        ("failed -", "There is a - with nothing behind it."),
    ],
)
def test_what_cannot_be_understood_is_said(text: str, said: str) -> None:
    """Where it is wrong, and the way out."""
    with pytest.raises(WrongFilter) as raised:
        parse(text)
    assert str(raised.value) == said


@given(st.sampled_from(["created>", "finished<="]), st.text("0123456789-:+TZ.", max_size=30))
def test_any_instant_is_read_or_refused(key: str, word: str) -> None:
    """Also the first and the last ones that a calendar has."""
    with contextlib.suppress(WrongFilter):
        parse(key + word).keeps(ROW, NOW_MS)
    for each in ("0001-01-01", "9999-12-31T23:59:59", "0001-01-01T00:00:00+23:59"):
        with contextlib.suppress(WrongFilter):
            parse(key + each).keeps(ROW, NOW_MS)


@given(st.text(max_size=80))
def test_whatever_is_typed_is_read_or_refused(text: str) -> None:
    """Nothing else ever comes out of it."""
    with contextlib.suppress(WrongFilter):
        parse(text).keeps(ROW, NOW_MS)


@given(st.sampled_from(sorted(TEXTS)), st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=1))
def test_a_value_is_found_by_itself(key: str, value: str) -> None:
    """Whatever stands in it: in quotes, only * and the comma mean something."""
    if "*" in value or "," in value or key in CHOICES:
        return
    names = {"id": "prediction_id", "input": "input_preview", "output": "output_preview", "error": "error_code"}
    row = msgspec.structs.replace(ROW, **{names.get(key, key): value})
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    assert parse(f'{key}:"{quoted}"').keeps(row, NOW_MS)
