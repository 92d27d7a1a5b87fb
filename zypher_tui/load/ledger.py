"""The predictions that this load left in the queue: their ids, until they have ended."""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice

from zypher_jobs.contracts.prediction import Status

MOST_IDS = 50_000


class Ledger:
    """Keeps the ids of at most ``MOST_IDS``; of more it only knows how many they were."""

    def __init__(self) -> None:
        self._open: dict[str, None] = {}
        self.forgotten = 0
        """Ids that were let go of before anybody knew that they had ended."""
        self.ended: Counter[Status] = Counter()

    @property
    def open(self) -> int:
        """Accepted, and not known to have ended."""
        return len(self._open)

    def accepted(self, prediction_id: str) -> None:
        """One more waits."""
        self._open[prediction_id] = None
        if len(self._open) > MOST_IDS:
            del self._open[next(iter(self._open))]
            self.forgotten += 1

    def next(self, count: int) -> list[str]:
        """Those that nobody asked about for the longest time."""
        return list(islice(self._open, count))

    def found(self, asked: Iterable[str], statuses: Mapping[str, Status]) -> int:
        """What was heard of those that were asked about; how many have ended. One that is gone has ended somehow."""
        before = len(self._open)
        for prediction_id in asked:
            if prediction_id in self._open:
                status = statuses.get(prediction_id)
                del self._open[prediction_id]
                if status is None:
                    self.forgotten += 1
                elif status.is_terminal:
                    self.ended[status] += 1
                else:
                    self._open[prediction_id] = None  # to the end of the line
        return before - len(self._open)
