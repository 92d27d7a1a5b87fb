"""``RequestLog``: one structured line for each request, written in batches off its path."""

import logging

from zypher_jobs.logs import Line, LineLog

_LOGGER = "zypher.api.request"


class RequestLine(Line, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One answered request; a ``warning`` for 5xx."""

    request_id: str
    method: str
    path: str
    """Percent-encoded, without the query: that may hold secrets."""
    route: str
    """Template of the route; ``(none)`` where nothing is."""
    status: int
    duration_ms: float
    prediction_id: str = ""
    trace_id: str = ""
    key: str = ""
    """Name of the caller's API key."""
    """Of ``traceparent``, or the server's own."""


class RequestLog:
    """Requests on their way to the log."""

    def __init__(self) -> None:
        self._lines = LineLog(_LOGGER)

    def add(
        self,
        *,
        request_id: str,
        method: str,
        path: str,
        route: str,
        status: int,
        duration_s: float,
        prediction_id: str,
        trace_id: str,
        key: str,
    ) -> None:
        """Have a line written soon, if the log's level wants it. Needs a running event loop."""
        failed = status >= 500
        level = logging.WARNING if failed else logging.INFO
        if not self._lines.wants(level):
            return
        self._lines.add(
            RequestLine(
                time=self._lines.now(),
                level="warning" if failed else "info",
                part="api",
                logger=_LOGGER,
                message=f"{method} {path} {status}",
                request_id=request_id,
                method=method,
                path=path,
                route=route,
                status=status,
                duration_ms=round(duration_s * 1000, 3),
                prediction_id=prediction_id,
                trace_id=trace_id,
                key=key,
            ),
            level,
        )

    def flush(self) -> None:
        """Write all lines now."""
        self._lines.flush()
