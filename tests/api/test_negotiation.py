"""``Prefer`` in every form that RFC 7240 allows, and ``Async-Mode``."""

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zypher_api.negotiation import NOW, Reply, parse_prefer, wanted_reply

N = 250_000


def scope(*headers: tuple[str, str]) -> Any:
    """A request with these headers."""
    return cast("Any", {"headers": [(name.encode(), value.encode()) for name, value in headers]})


@pytest.mark.parametrize(
    ("values", "wait_s", "applied"),
    [
        (["respond-async"], None, b"respond-async"),
        (["Respond-Async"], None, b"respond-async"),
        (["respond-async, wait=5"], 5, b"respond-async, wait=5"),
        (["wait=5, respond-async"], 5, b"respond-async, wait=5"),
        (["wait=5,respond-async"], 5, b"respond-async, wait=5"),
        (["  respond-async ,\t wait = 5 "], 5, b"respond-async, wait=5"),
        (['respond-async, wait="5"'], 5, b"respond-async, wait=5"),
        (["respond-async", "wait=5"], 5, b"respond-async, wait=5"),
        (["wait=5", "respond-async"], 5, b"respond-async, wait=5"),
        (["respond-async; foo=bar, wait=5; x"], 5, b"respond-async, wait=5"),
        (["respond-async, wait=5, wait=9"], 5, b"respond-async, wait=5"),
        (["foo, return=minimal, respond-async, handling=lenient"], None, b"respond-async"),
        (['foo="a, b; c", respond-async'], None, b"respond-async"),
        ([", ,respond-async,,"], None, b"respond-async"),
        (["respond-async, wait=0"], 0, b"respond-async, wait=0"),
        (["respond-async, wait=100000"], 60, b"respond-async, wait=60"),
        (["respond-async="], None, b"respond-async"),
        (['respond-async=""'], None, b"respond-async"),
        (["wait=5"], 5, b"wait=5"),
        (["wait=0"], 0, b"wait=0"),
        (["respond-async=1, wait=5"], 5, b"wait=5"),
        (["wait=" + "0" * 5000 + "7"], 7, b"wait=7"),
        (["wait=" + "9" * 5000], 60, b"wait=60"),
    ],
)
def test_respond_async_is_heard_in_every_legal_form(values: list[str], wait_s: int | None, applied: bytes) -> None:
    """Any order, spaces, quotes, case, parameters, several headers, strangers; the first of repeated ones counts."""
    reply = wanted_reply(scope(*(("prefer", value) for value in values)))

    assert (reply.later, reply.wait_s, reply.applied) == (True, wait_s, applied)


@pytest.mark.parametrize("wait", ["wait", "wait=", "wait=soon", "wait=-1", "wait=1.5", 'wait="x', "wait=1e9", "wait=٣"])
def test_a_wait_that_cannot_be_understood_is_ignored(wait: str) -> None:
    """As RFC 7240 wants it: the rest of the header still counts."""
    reply = wanted_reply(scope(("prefer", f"respond-async, {wait}")))

    assert (reply.later, reply.wait_s) == (True, None)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "wait",
        "wait=soon",
        "foo",
        "respond-async-not",
        "x=respond-async",
        'foo="a, respond-async"',
        '"respond-async"',
        "respond-async=1",
    ],
)
def test_what_does_not_ask_for_it_is_answered_now(value: str) -> None:
    """Nothing but the preference itself."""
    assert wanted_reply(scope(("prefer", value))) == NOW


def test_async_mode_false_overrules_every_preference() -> None:
    """Neither was applied, and neither is said to be."""
    assert wanted_reply(scope(("prefer", "respond-async, wait=5"), ("async-mode", "False"))) == NOW


def test_async_mode_takes_a_wait_too() -> None:
    """``wait`` bounds whatever goes through the queue; ``respond-async`` was not what decided."""
    reply = wanted_reply(scope(("async-mode", "true"), ("prefer", "wait=5")))

    assert (reply.later, reply.wait_s, reply.applied) == (True, 5, b"wait=5")


@pytest.mark.parametrize(
    ("values", "events"),
    [
        (["text/event-stream"], True),
        (["Text/Event-Stream; q=0.5"], True),
        (["text/event-stream, */*"], True),
        (["text/*, */*"], True),
        (["text/event-stream", "application/json;q=0.9"], True),
        (["text/event-stream;charset=utf-8, application/*;q=0.5"], True),
        (["text/event-stream;q=0.001"], True),
        ([], False),
        (["*/*"], False),
        (["text/html, */*;q=0.8"], False),
        (["application/json, text/event-stream"], False),
        (["text/event-stream;q=0.9, */*"], False),
        (["text/event-stream;q=0, text/*"], False),
        (["text/event-stream;q=0"], False),
        (["text/event-stream;q=much"], False),
        (['text/html;a="text/event-stream"'], False),
    ],
)
def test_events_are_sent_to_who_prefers_them(values: list[str], *, events: bool) -> None:
    """By quality, and where that is the same by which is named more exactly."""
    assert wanted_reply(scope(*(("accept", value) for value in values))).as_events is events


def test_an_answer_later_is_a_document() -> None:
    """Whatever ``Accept`` says; without ``respond-async`` it is not later."""
    accept = ("accept", "text/event-stream")
    assert wanted_reply(scope(accept, ("async-mode", "true"))) == wanted_reply(scope(("async-mode", "true")))
    assert wanted_reply(scope(accept, ("prefer", "respond-async"))).later
    assert wanted_reply(scope(accept, ("prefer", "wait=5"))).as_events


SPACE = st.text(" \t", max_size=2)
TOKEN = st.text("abcxyzABC019!#$%&'*+-.^_`|~", min_size=1, max_size=8)
QUOTED = st.text("ab,;= \t0", max_size=6).map(lambda text: f'"{text}"')
STRANGER = TOKEN.map(lambda name: f"x-{name}")


@st.composite
def one_preference(draw: st.DrawFn) -> tuple[str, str, str]:
    """As it is written, its name in lower case, and its value."""
    name = draw(st.sampled_from(["respond-async", "wait", "handling"]) | STRANGER)
    kind = draw(st.sampled_from(["none", "empty", "plain", "quoted"]))
    value = "" if kind in ("none", "empty") else draw(st.integers(0, 200).map(str) | TOKEN)
    written = draw(st.sampled_from([name, name.upper(), name.title()]))
    if kind != "none":
        written += draw(SPACE) + "=" + draw(SPACE)
        written += f'"{value}"' if kind == "quoted" else value
    for _ in range(draw(st.integers(0, 2))):
        written += draw(SPACE) + ";" + draw(SPACE)
        written += draw(st.just("") | TOKEN | st.tuples(TOKEN, TOKEN | QUOTED).map("=".join))
    return written, name.lower(), value


@given(st.lists(st.lists(one_preference(), max_size=3), max_size=3), st.data())
def test_every_legal_form_of_prefer_is_understood(lines: list[list[tuple[str, str, str]]], data: st.DataObject) -> None:
    """RFC 7240 §2: spaces, case, quotes, parameters, empty members, many headers; the first of a name counts."""
    separator = st.tuples(SPACE, st.sampled_from([",", ",,", ", ,"]), SPACE).map("".join)
    headers: list[tuple[str, str]] = []
    first: dict[str, str] = {}
    for line in lines:
        text = data.draw(SPACE)
        for written, name, value in line:
            first.setdefault(name, value)
            text += written + data.draw(separator)
        headers.append(("prefer", text))
    reply = wanted_reply(scope(*headers))
    wait = first.get("wait", "")
    wait_s = min(int(wait), 60) if wait.isdigit() else None
    preferred = first.get("respond-async") == ""
    later = preferred or wait_s is not None
    applied = [*(["respond-async"] if preferred else []), *([] if wait_s is None else [f"wait={wait_s}"])]
    assert reply == (NOW if not later else Reply(later=True, wait_s=wait_s, applied=", ".join(applied).encode()))


@given(st.lists(st.text(alphabet=st.characters(codec="latin-1"), max_size=60), max_size=4))
def test_no_accept_header_is_an_error(values: list[str]) -> None:
    """What cannot be understood asks for nothing."""
    wanted_reply(scope(*(("accept", f"text/*;{value}") for value in values)))


@given(st.lists(st.text(alphabet=st.characters(codec="latin-1"), max_size=60), max_size=4))
def test_no_header_breaks_the_parser(values: list[str]) -> None:
    """Whatever the bytes, preferences come out, with names in lower case."""
    assert all(name == name.lower() for name in parse_prefer(values))


@pytest.mark.parametrize(
    "value",
    [
        " " * N + '"',
        "a" + " " * N + '"',
        "a" + " " * N + "x",
        'a="' + "\\" * N,
        "a=" + " " * N + "(",
        '"",' * N,
        "," * N,
    ],
)
def test_the_parser_is_quick_on_hostile_headers(value: str) -> None:
    """A header of a quarter of a megabyte takes linear time; quadratic would take minutes."""
    parse_prefer([value])
