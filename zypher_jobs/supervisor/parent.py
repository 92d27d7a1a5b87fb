"""What a child does when its supervisor is gone: drain, and end in any case."""

import os
import signal
import threading
import time

MARGIN_S = 5.0
"""What a process may need to end beyond its grace period, before it is ended by force."""


def drain_when_parent_is_gone(*, grace_s: float) -> None:
    """Send this process SIGTERM when its stdin ends, and end it outright if it is still there after the grace period.

    A pipe tells of the supervisor's end on every system and cannot be missed, unlike a watch on the parent's id.
    """

    def watch() -> None:
        while os.read(0, 1024):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace_s + MARGIN_S)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
