"""Ends what runs on the event loop as soon as nobody wants it."""

import asyncio
import contextlib
from collections.abc import Sequence

from zypher_jobs.models.call import Call


def end_when_unwanted(timeout: asyncio.Timeout, calls: Sequence[Call]) -> None:
    """Let it run out as soon as nobody waits for any of the calls any more."""
    loop = asyncio.get_running_loop()

    def run_out() -> None:
        with contextlib.suppress(RuntimeError):  # it has ended already
            timeout.reschedule(loop.time())

    def canceled() -> None:
        if all(call.canceled for call in calls):
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(run_out)

    for call in calls:
        call.when_canceled(canceled)
