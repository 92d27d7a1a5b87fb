"""What can be copied of one prediction, or why it cannot: its id, output, trace, and the command that asks it again."""

from zypher_jobs.contracts.prediction import Prediction
from zypher_tui.core.curl import curl_of
from zypher_tui.core.rows import Row
from zypher_tui.core.values import plain_json
from zypher_tui.following import Following
from zypher_tui.screens.pane import Copied


def output(whole: Prediction | None) -> Copied | str:
    """All of it, however long."""
    if whole is None or whole.output is None:
        return "It has no output." if whole and whole.status.is_terminal else "It has no output yet."
    return Copied(plain_json(whole.output), "the output")


def trace(known: Prediction | None) -> Copied | str:
    """Its id."""
    if known is None or not known.trace_id:
        return "It has no trace: its caller sent no traceparent."
    return Copied(known.trace_id, "the trace's id")


def command(known: Prediction | None, row: Row | None, following: Following, *, api_url: str) -> Copied | str:
    """For the shell; with a key if its caller had one."""
    given = following.given
    if known is None or given is None or not given.is_whole:
        return f"It cannot be copied: {following.why_no_input}."
    with_key = bool(row and row.caller)
    return Copied(curl_of(known, given.value, api_url=api_url, with_key=with_key), "a command for the shell")
