"""Bodies of answers that only the API gives; those that the packages share are in ``zypher_jobs.contracts``."""

from typing import Any

import msgspec

from zypher_jobs.contracts.access import ApiKey
from zypher_jobs.contracts.deployment import ModelDetail
from zypher_jobs.contracts.model import ModelInfo, ModelManifest
from zypher_jobs.contracts.prediction import Prediction, PredictionFailure, PredictionSummary, Status

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


class AcceptedMany(msgspec.Struct, frozen=True, kw_only=True):
    """Several predictions that will be answered later."""

    message: str = RECEIVED
    predictions: list[Accepted]
    """In the order of the request."""


def accepted_of(prediction: Prediction) -> Accepted:
    """What is answered for a prediction that is queued."""
    return Accepted(
        prediction_id=prediction.prediction_id,
        status=prediction.status,
        queue_position=prediction.queue_position,
        location=f"/predict/{prediction.prediction_id}",
    )


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """Data of the event ``start``: the first of a synchronous prediction."""

    prediction_id: str
    model: str
    version: str


class StatusChange(msgspec.Struct, frozen=True, kw_only=True):
    """Data of the event ``status``: where a prediction of the queue stands from here on."""

    status: Status
    attempt: int
    """The first is 1; 0 while there was none."""


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Data of the event ``gap``: what stood here is kept no more."""

    missing: int
    """Events."""


class End(msgspec.Struct, frozen=True, kw_only=True):
    """Data of the event ``end``: the last one."""

    prediction_id: str
    status: Status
    output: Any = msgspec.UNSET
    """All of it, if it succeeded."""
    error: PredictionFailure | msgspec.UnsetType = msgspec.UNSET


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    """Every model, in order of registration."""

    models: list[ModelInfo]


class PredictionPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some predictions, newest first."""

    predictions: list[PredictionSummary]
    next: str | None = None
    """The `before` of the page behind this one; absent on the last."""
    searched: int = 0
    """Predictions that were looked at for this page."""


class DeploymentList(msgspec.Struct, frozen=True, kw_only=True):
    """Every model by name, with its versions as each process has them."""

    models: list[ModelDetail]


class UploadForm(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of an upload, in this order."""

    manifest: ModelManifest
    """JSON. ``name`` and ``version`` are those of the path, and need not be repeated; ``sha256`` has to be there."""
    file: bytes
    """The ONNX file as it is."""


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


class ApiKeyList(msgspec.Struct, frozen=True, kw_only=True):
    """Every API key, oldest first."""

    keys: list[ApiKey]
