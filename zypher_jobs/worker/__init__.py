"""Claims predictions from the queue, runs them, reports back."""

from zypher_jobs.worker.worker import PredictionWorker

__all__ = ["PredictionWorker"]
