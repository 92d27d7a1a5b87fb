"""``traceparent`` and ``tracestate``, to the letter of W3C Trace Context."""

import pytest

from zypher_jobs.contracts.trace import read_stored, read_trace

TRACE_ID, PARENT_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE_ID}-{PARENT_ID}-01"


def test_the_parts_of_a_traceparent() -> None:
    """Trace id, parent id and flags."""
    trace = read_trace(TRACEPARENT, "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7")
    assert trace is not None
    assert (trace.trace_id, trace.parent_id, trace.flags) == (TRACE_ID, PARENT_ID, 1)
    assert trace.headers == {"traceparent": TRACEPARENT, "tracestate": "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"}
    assert read_stored(trace.stored) == trace


def test_what_comes_next_is_the_same_trace_under_another_parent() -> None:
    """The flags and the state stay."""
    trace = read_trace(TRACEPARENT, "a=b")
    assert trace is not None
    after = trace.next()
    assert (after.trace_id, after.flags, after.tracestate) == (TRACE_ID, 1, "a=b")
    assert after.parent_id != PARENT_ID
    assert read_trace(after.traceparent) is not None


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        TRACEPARENT.upper(),
        TRACEPARENT[:-1],
        f" {TRACEPARENT}",
        f"{TRACEPARENT}\n",
        f"{TRACEPARENT}-",
        f"{TRACEPARENT}-more",
        TRACEPARENT.replace("-", "_"),
        f"ff-{TRACE_ID}-{PARENT_ID}-01",
        f"0-{TRACE_ID}-{PARENT_ID}-01",
        f"00-{'0' * 32}-{PARENT_ID}-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"00-{TRACE_ID[:-1]}-{PARENT_ID}-01",
        f"00-{TRACE_ID}-{PARENT_ID}-1",
        f"00-{TRACE_ID[:-1]}g-{PARENT_ID}-01",
        f"00-{TRACE_ID[:-1]}\u0661-{PARENT_ID}-01",
        f"01-{TRACE_ID}-{PARENT_ID}-01.more",
    ],
)
def test_what_is_no_traceparent_is_none(traceparent: str) -> None:
    """Upper case, other lengths, all zeros, version ff, and version 00 with more behind it."""
    assert read_trace(traceparent, "a=b") is None


@pytest.mark.parametrize("more", ["", "-what-comes-later"])
def test_a_later_version_is_read_as_far_as_it_is_known(more: str) -> None:
    """And passed on as version 00, without flags that nobody here knows."""
    trace = read_trace(f"cc-{TRACE_ID}-{PARENT_ID}-f5{more}")
    assert trace is not None
    assert trace.traceparent == f"00-{TRACE_ID}-{PARENT_ID}-01"


@pytest.mark.parametrize("tracestate", ["", "a=b\r\nx: y", "a=é", "a=" + "b" * 511, ",".join(["a=b"] * 33)])
def test_a_tracestate_that_cannot_be_passed_on_is_left_out(tracestate: str) -> None:
    """Longer than 512, of more members than 32, or not printable: the trace stays."""
    trace = read_trace(TRACEPARENT, tracestate)
    assert trace is not None
    assert trace.headers == {"traceparent": TRACEPARENT}


def test_the_longest_tracestate_is_passed_on() -> None:
    """512 bytes, or 32 members."""
    for tracestate in ("a=" + "b" * 510, ",".join(["a=b"] * 32)):
        trace = read_trace(TRACEPARENT, tracestate)
        assert trace is not None
        assert trace.tracestate == tracestate


def test_nothing_stored_is_no_trace() -> None:
    """As a record has it of a caller who sent none."""
    assert read_stored("") is None
