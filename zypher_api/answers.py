"""Bodies of answers that only the API gives; those that the packages share are in ``zypher_jobs.contracts``."""

import msgspec

from zypher_jobs.contracts.model import ModelInfo
from zypher_jobs.contracts.prediction import Status

RECEIVED = "Request received. Processing asynchronously."


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """A prediction that will be answered later."""

    message: str = RECEIVED
    prediction_id: str
    status: Status
    queue_position: int | None
    """Predictions ahead of this one; ``null`` once it runs."""
    location: str
    """Where to read it."""


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    """Every model, in order of registration."""

    models: list[ModelInfo]


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """The process answers."""

    live: bool = True


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """Redis answers and the default model is loaded."""

    ready: bool = True


class Links(msgspec.Struct, frozen=True, kw_only=True):
    """Where to go from here."""

    name: str
    version: str
    predict: str = "/predict"
    models: str = "/models"
    health: str = "/health"
    metrics: str = "/metrics"
    docs: str = "/docs"
    openapi: str = "/docs/openapi.json"
