"""Claims predictions from the queue, runs them, reports back.

``PredictionWorker`` is loaded when first used: a worker's lease keeper is a process of its own and needs no arq.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zypher_jobs.worker.worker import PredictionWorker

__all__ = ["PredictionWorker"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(name)
    return getattr(import_module(f"{__name__}.worker"), name)
