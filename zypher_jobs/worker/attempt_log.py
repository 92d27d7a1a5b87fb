"""One structured line for each attempt, written in batches: a ``logging`` record costs as much as the whole attempt."""

import logging

from zypher_jobs.logs import Line, LineLog
from zypher_jobs.queue.rows import Ended
from zypher_jobs.worker.attempt import Attempt

_LOGGER = "zypher.worker.attempt"


class AttemptLine(Line, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One attempt; a ``warning`` for a failure and a refused report."""

    prediction_id: str
    model: str
    attempt: int
    status: str
    wait_ms: float
    run_ms: float
    error_code: str = ""
    error: str = ""
    trace_id: str = ""


class AttemptLog:
    """Attempts on their way to the log."""

    def __init__(self) -> None:
        self._lines = LineLog(_LOGGER)

    def add(self, attempt: Attempt, ended: Ended, *, accepted: bool) -> None:
        """Have a line written soon, if the log's level wants it."""
        bad = not accepted or ended.error_code != ""
        level = logging.WARNING if bad else logging.INFO
        if not self._lines.wants(level):
            return
        self._lines.add(
            AttemptLine(
                time=self._lines.now(),
                level="warning" if bad else "info",
                part="worker",
                logger=_LOGGER,
                message="attempt ended" if accepted else "report refused: the lease was lost",
                prediction_id=ended.prediction_id,
                model=ended.model,
                attempt=attempt.number,
                status=str(ended.status),
                wait_ms=ended.wait_us / 1000,
                run_ms=ended.run_us / 1000,
                error_code=ended.error_code,
                error=ended.error_message,
                trace_id=attempt.trace_id,
            ),
            level,
        )

    def flush(self) -> None:
        """Write all lines now."""
        self._lines.flush()
