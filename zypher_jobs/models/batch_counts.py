"""``BatchCounts``: the batches of one model, counted by size."""

from zypher_jobs.models.batch_size import LARGEST_LIMIT

SIZE_BOUNDS = tuple(1 << power for power in range(LARGEST_LIMIT.bit_length()))
"""1, 2, 4 … 128: the largest sizes of the buckets; one more holds what is larger."""


WAIT_BOUNDS_MS = tuple(1 << power for power in range(17))
"""1 ms to 65 s; one more bucket holds what is longer. The event loop's clock knows no parts of a ms."""


class BatchCounts:
    """Calls of the model so far, and the predictions in them; those that ran again count again."""

    __slots__ = ("batches", "by_size", "by_wait", "predictions", "waited_ms")

    def __init__(self) -> None:
        self.batches = 0
        self.predictions = 0
        self.by_size = [0] * (len(SIZE_BOUNDS) + 1)
        self.by_wait = [0] * (len(WAIT_BOUNDS_MS) + 1)
        """Batches, by how long the first of each had waited."""
        self.waited_ms = 0

    def add(self, size: int) -> None:
        """One batch."""
        self.batches += 1
        self.predictions += size
        self.by_size[min((size - 1).bit_length(), len(SIZE_BOUNDS))] += 1

    def waited(self, seconds: float) -> None:
        """Its first prediction had come so long before a batch began."""
        ms = round(seconds * 1000)
        self.waited_ms += ms
        self.by_wait[min(max(ms - 1, 0).bit_length(), len(WAIT_BOUNDS_MS))] += 1

    @property
    def mean_size(self) -> float:
        """Predictions in a batch; 0 before the first."""
        return self.predictions / self.batches if self.batches else 0.0
