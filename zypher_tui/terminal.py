"""The terminal under the dashboard: nothing is left behind when it is gone."""

import os
import select
import sys
import threading

GONE = 129
"""Exit code of a process whose terminal went away: 128 and SIGHUP."""
ENDED = 143


def end_with_terminal() -> None:
    """End this process at once when its terminal goes away.

    Where it hangs up without a signal, Textual's writer dies of it, and the rest would wait for that for ever.
    """
    stream = sys.__stderr__  # what Textual writes to
    if stream is not None and stream.isatty():
        threading.Thread(target=_watch, args=(stream.fileno(),), name="terminal-gone", daemon=True).start()


def end_within(seconds: float) -> None:
    """End this process then, should it still be there: a terminal that takes nothing must not keep it."""
    timer = threading.Timer(seconds, os._exit, (ENDED,))
    timer.daemon = True
    timer.start()


def _watch(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, 0)  # that it hung up is told unasked
    while not any(event & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, event in poll.poll()):
        pass
    os._exit(GONE)
