"""What goes into a recording next: of all that sources say, what was not said before."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from zypher_jobs.contracts.event import Event
from zypher_jobs.contracts.prediction import PredictionSummary
from zypher_tui.core.readings import Reading
from zypher_tui.core.recording import EventsLine, Line, RowsLine, frame_of
from zypher_tui.core.shrinking import Shrinker

REMEMBERED = 50_000
"""Predictions whose last line is known; of one that is older than those, it is written once more."""
ASKED_AT_ONCE = 1_000
"""Most predictions that are asked for between two frames."""
_IN_A_LINE = 500


class Tape:
    """Collects between two frames; ``lines`` empties it."""

    def __init__(self, *, previews: bool) -> None:
        self._previews = previews
        self._shrinker = Shrinker()
        self._written: OrderedDict[str, PredictionSummary] = OrderedDict()
        self._changed: dict[str, PredictionSummary] = {}
        self._events: list[Event] = []
        self._ended: dict[str, None] = {}
        self.frames = 0
        self.predictions = 0
        """Rows that were new; an estimate where more ran at once than are remembered."""
        self.events = 0

    def see(self, summaries: Iterable[PredictionSummary]) -> None:
        """Take in lines of a list."""
        for summary in summaries:
            row = summary if self._previews else _without_previews(summary)
            known = self._known(row.prediction_id)
            if known and known.status.is_terminal and not row.status.is_terminal:
                continue  # an answer that was under way for longer
            if row == self._written.get(row.prediction_id):
                self._changed.pop(row.prediction_id, None)
            else:
                self._changed[row.prediction_id] = row

    def hear(self, events: Iterable[Event]) -> None:
        """Take in what happened."""
        for event in events:
            self._events.append(event)
            if event.status in _TERMINAL:
                self._ended[event.prediction_id] = None

    def take_ended(self) -> list[str]:
        """Ids of predictions that ended and whose end was not seen yet, the newest; each is given out once."""
        taken = [each for each in reversed(self._ended) if not self._is_seen(each)][:ASKED_AT_ONCE]
        self._ended.clear()
        return taken

    def lines(self, readings: list[Reading], at: datetime) -> Iterator[Line]:
        """What is new, and the frame that ends it."""
        events, self._events = self._events, []
        for begin in range(0, len(events), _IN_A_LINE):
            yield EventsLine(at=at, events=events[begin : begin + _IN_A_LINE])
        rows, self._changed = list(self._changed.values()), {}
        for begin in range(0, len(rows), _IN_A_LINE):
            yield RowsLine(at=at, rows=rows[begin : begin + _IN_A_LINE])
        for row in rows:
            self.predictions += row.prediction_id not in self._written
            self._written[row.prediction_id] = row
            self._written.move_to_end(row.prediction_id)
        while len(self._written) > REMEMBERED:
            self._written.popitem(last=False)
        self.events += len(events)
        self.frames += 1
        yield self._shrinker.shrink(frame_of(readings, at))

    def _known(self, prediction_id: str) -> PredictionSummary | None:
        return self._changed.get(prediction_id) or self._written.get(prediction_id)

    def _is_seen(self, prediction_id: str) -> bool:
        known = self._known(prediction_id)
        return known is not None and known.status.is_terminal


_TERMINAL = frozenset(("succeeded", "failed", "canceled", "expired"))


def _without_previews(row: PredictionSummary) -> PredictionSummary:
    return msgspec.structs.replace(row, input_preview="", output_preview="")
