"""``RetryPolicy``: which failures of a queued prediction are worth another attempt, and when."""

import random

import msgspec

from zypher_jobs.errors import ModelCrashed, ModelNotReady, PredictionFailed, PredictionTimeout

_DOUBLINGS = 64
"""More would outgrow a float in the end, and any pause long before."""


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts and the pauses between them: exponential backoff with full jitter.

    Source: Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """

    max_attempts: int = 3
    backoff_s: float = 1.0
    """Longest pause after the first attempt; it doubles with each."""
    max_backoff_s: float = 60.0
    retry_on: tuple[type[BaseException], ...] = (ConnectionError, TimeoutError)
    """Exceptions of the model that may pass by themselves; with any other the same input fails the same way."""
    retry_timeouts: bool = False
    """Whether an attempt that ran longer than its timeout is worth one too."""
    retry_crashes: bool = True
    """Whether one under which the model's own process ended is (``isolation = "process"``), as one is whose worker
    died. What took too much memory is not: it would again."""

    def covers(self, failure: PredictionFailed | ModelNotReady) -> bool:
        """Whether this failure is worth another attempt. A model that is not ready may be so soon, or elsewhere."""
        if isinstance(failure, ModelNotReady):
            return True
        if isinstance(failure, PredictionTimeout):
            return self.retry_timeouts
        if isinstance(failure, ModelCrashed):
            return self.retry_crashes
        return failure.may_pass or isinstance(failure.__cause__, self.retry_on)

    def delay_s(self, attempt: int) -> float:
        """A random pause after that attempt (the first is 1)."""
        longest_s = min(self.max_backoff_s, self.backoff_s * 2.0 ** min(attempt - 1, _DOUBLINGS))
        return random.uniform(0, longest_s)  # noqa: S311  # jitter
