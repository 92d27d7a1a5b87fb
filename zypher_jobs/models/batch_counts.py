"""``BatchCounts``: the batches of one model, counted by size."""

from zypher_jobs.models.batch_size import LARGEST_LIMIT

SIZE_BOUNDS = tuple(1 << power for power in range(LARGEST_LIMIT.bit_length()))
"""1, 2, 4 … 128: the largest sizes of the buckets; one more holds what is larger."""


class BatchCounts:
    """Calls of the model so far, and the predictions in them; those that ran again count again."""

    __slots__ = ("batches", "by_size", "predictions")

    def __init__(self) -> None:
        self.batches = 0
        self.predictions = 0
        self.by_size = [0] * (len(SIZE_BOUNDS) + 1)

    def add(self, size: int) -> None:
        """One batch."""
        self.batches += 1
        self.predictions += size
        self.by_size[min((size - 1).bit_length(), len(SIZE_BOUNDS))] += 1

    @property
    def mean_size(self) -> float:
        """Predictions in a batch; 0 before the first."""
        return self.predictions / self.batches if self.batches else 0.0
