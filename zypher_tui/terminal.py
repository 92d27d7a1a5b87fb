"""The terminal under the dashboard: whether it keeps up, and that nothing is left behind when it is gone."""

import os
import select
import sys
import threading
from typing import Any

from textual.app import App

GONE = 129
"""Exit code of a process whose terminal went away: 128 and SIGHUP."""
ENDED = 143


def waiting_writes(app: App[Any]) -> int:
    """What was drawn and the terminal has not taken yet; 0 where that is not known.

    Textual's writer takes 30 of them, and then whoever draws waits for the terminal, and no key is heard.
    """
    driver = app._driver  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # Textual tells it to nobody
    writer = getattr(driver, "_writer_thread", None)
    return writer._queue.qsize() if writer is not None else 0  # noqa: SLF001


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
