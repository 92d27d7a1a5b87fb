"""How long an answer of Redis was under way: on the network, or before this process's event loop took it in.

A worker whose loop a model blocked for longer than a lease, or whose connection crawled, must not begin what somebody
else has taken over meanwhile.
"""

import time

_WINDOW_MS = 30_000.0


class Delays:
    """The server's clock beside this machine's steady one: the quickest answer of the last minute took no time."""

    def __init__(self) -> None:
        self._since_ms = 0.0
        self._least: float | None = None
        self._least_before: float | None = None

    def of(self, server_ms: int, *, now_ms: float | None = None) -> float:
        """Milliseconds since the server's clock said ``server_ms``, beyond those of the quickest answer.

        After the server's clock was set back answers look late for a minute at most.
        """
        now_ms = time.monotonic() * 1000 if now_ms is None else now_ms
        offset = now_ms - server_ms
        if self._least is None or now_ms - self._since_ms > _WINDOW_MS:
            self._least_before, self._least, self._since_ms = self._least, offset, now_ms
        self._least = min(self._least, offset)
        known = self._least if self._least_before is None else min(self._least, self._least_before)
        return offset - known
