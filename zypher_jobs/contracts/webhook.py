"""Webhooks: who is told that a prediction has ended, and what came of telling it."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from zypher_jobs.contracts.prediction import Prediction

DIRECT = "direct"
"""In the place of a webhook's id: the one that was given with the prediction itself."""
MOST_URL_CHARS = 2048
URL_SCHEMA = {"format": "uri", "pattern": "^https?://"}
"""For documentation: whether one can be used shows only when it is taken apart."""
MOST_BODY_BYTES = 262_144
"""A larger body is sent without the prediction's output."""


class WebhookEvent(StrEnum):
    """What a webhook is told of: how a prediction of the queue ended."""

    SUCCEEDED = "prediction.succeeded"
    FAILED = "prediction.failed"
    CANCELED = "prediction.canceled"
    EXPIRED = "prediction.expired"


class WebhookRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A webhook to be registered."""

    url: Annotated[str, Meta(max_length=MOST_URL_CHARS, extra_json_schema=URL_SCHEMA)]
    """Where to POST to: http or https."""
    events: Annotated[list[WebhookEvent], Meta(max_length=16)] = []
    """Which it is told of; none named: all."""
    models: Annotated[list[Annotated[str, Meta(max_length=200)]], Meta(max_length=100)] = []
    """Whose predictions it is told of; none named: those of all models."""
    description: Annotated[str, Meta(max_length=200)] = ""


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """One that is registered."""

    webhook_id: str
    url: str
    events: list[WebhookEvent] = []
    """Which it is told of; empty: all."""
    models: list[str] = []
    """Whose predictions it is told of; empty: those of all models."""
    description: str = ""
    created_at: datetime
    disabled_at: datetime | None = None
    """When its receiver answered 410, or it was disabled: it is told nothing more."""
    failing_since: datetime | None = None
    """Since when every attempt to tell it has failed."""
    suspended_at: datetime | None = None
    """When that had lasted too long: its deliveries fail at once, until one that is tried again succeeds."""


class WebhookChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be changed of a webhook; what is not named stays."""

    url: Annotated[str, Meta(max_length=MOST_URL_CHARS, extra_json_schema=URL_SCHEMA)] | UnsetType = UNSET
    """What is pending goes there, too."""
    events: Annotated[list[WebhookEvent], Meta(max_length=16)] | UnsetType = UNSET
    models: Annotated[list[Annotated[str, Meta(max_length=200)]], Meta(max_length=100)] | UnsetType = UNSET
    description: Annotated[str, Meta(max_length=200)] | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET
    """``false`` enables one again whose receiver answered 410, and one that is suspended."""


class NewWebhook(Webhook, frozen=True, kw_only=True):
    """One that has just been registered."""

    secret: str
    """What its deliveries are signed with."""


class SecretHint(msgspec.Struct, frozen=True, kw_only=True):
    """What tells a secret from another one; the secret itself is shown when it is made, and never again."""

    webhook_id: str
    secret_begins: str
    previous_until: datetime | None = None
    """Until when the one before it signs too."""


class WebhookSecret(msgspec.Struct, frozen=True, kw_only=True):
    """What deliveries are signed with."""

    webhook_id: str
    secret: str
    """``whsec_`` and base64, as Standard Webhooks has it."""
    previous_until: datetime | None = None
    """Until when the one before it signs too."""


class WebhookPayload(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a delivery."""

    type: WebhookEvent
    timestamp: datetime
    """When the prediction ended."""
    location: str
    """Where the prediction is read, at the server that sends this."""
    output_omitted: bool = False
    """The whole would be larger than 256 KiB: ``data`` is without its output, ``location`` has it."""
    data: Prediction
    """As ``GET /predict/{prediction_id}`` shows it."""


class DeliveryState(StrEnum):
    """``pending → delivered | failed``; a redelivery makes it pending again."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class DeliveryAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One POST, or why there was none."""

    at: datetime
    duration_ms: float
    status: int | None = None
    """What the receiver answered, if it did."""
    error: str = ""
    """Why it was no success; empty if it was one."""
    response: str = ""
    """The beginning of what the receiver said, if it was no success."""
    retry_after_s: float | None = None
    """How long it asked to be left alone, with 429 or 503."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One prediction's end, for one webhook."""

    delivery_id: str
    """The same in every attempt, in the header ``webhook-id``."""
    webhook_id: str
    """``direct`` for one that was given with the prediction."""
    prediction_id: str
    type: WebhookEvent
    url: str
    state: DeliveryState
    created_at: datetime
    attempts: int = 0
    next_attempt_at: datetime | None = None
    """While it is pending; while it is under way, when it would be taken up again."""
    log: list[DeliveryAttempt] = []
    """The last attempts, oldest first."""
