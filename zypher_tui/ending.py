"""How the dashboard ends: at SIGTERM, with its terminal, and whatever it is still asking; nothing is left behind."""

import asyncio
import contextlib
import os
import select
import signal
import sys
import threading
import time

from textual.app import App
from textual.worker_manager import WorkerManager

TERMINATE_S = 5.0
"""After SIGTERM, for what takes its time at the end."""
LEAVE_S = 1.0
"""At the end, for what is being asked to be given up."""
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


def end_at_sigterm(app: App[int]) -> None:
    """Leave with exit code 0, and end this process soon in any case: a terminal that takes nothing must not keep it."""

    def terminate() -> None:
        timer = threading.Timer(TERMINATE_S, os._exit, (ENDED,))
        timer.daemon = True
        timer.start()
        app.exit(0)

    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # not in the main thread: a test
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminate)


async def give_up(workers: WorkerManager) -> None:
    """End what is being asked, as far as it lets itself be ended."""
    until_s = time.monotonic() + LEAVE_S
    while (asking := [each for each in workers if not each.is_finished]) and time.monotonic() < until_s:
        workers.cancel_all()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_S / 5):
                await asyncio.gather(*(each.wait() for each in asking), return_exceptions=True)


def _watch(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, 0)  # that it hung up is told unasked
    while not any(event & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, event in poll.poll()):
        pass
    os._exit(GONE)
