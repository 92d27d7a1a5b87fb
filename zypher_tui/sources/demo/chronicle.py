"""What happened in the simulated system, as ``GET /events`` tells it."""

from collections import deque
from datetime import timedelta

from zypher_jobs.contracts.event import Event
from zypher_tui.sources.demo.records import START, Run, at

KEPT = 5_000


class Chronicle:
    """The last events."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque(maxlen=KEPT)
        self._happened = 0

    @property
    def last_id(self) -> str | None:
        """Of what happened last."""
        return self._events[-1].event_id if self._events else None

    def since(self, after_id: str | None) -> list[Event]:
        """What happened behind that one, as far as it is kept."""
        number = 0 if after_id is None else int(after_id.rpartition(".")[2])
        missed = self._happened - number
        return list(self._events)[-missed:] if missed > 0 else []

    def note(self, run: Run, status: str, worker: str, now_s: float) -> None:
        """It happened to that prediction."""
        self._happened += 1
        self._events.append(
            Event(
                event_id=f"{round((START + timedelta(seconds=now_s)).timestamp() * 1000)}-0.{self._happened}",
                at=at(now_s if run.finished_s is None else run.finished_s),
                prediction_id=run.prediction_id,
                status=status,
                model="" if status in ("running", "lost") else run.model,
                attempt=run.attempts,
                worker=worker,
            )
        )
