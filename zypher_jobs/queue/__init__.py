"""The only code that speaks Redis. Names are loaded when first used: reading the queue must not import arq."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zypher_jobs.queue.client import PredictionQueue
    from zypher_jobs.queue.payloads import deserialize, serialize

__all__ = ["PredictionQueue", "deserialize", "serialize"]

_HOMES = {"PredictionQueue": "client", "serialize": "payloads", "deserialize": "payloads"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(name)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
