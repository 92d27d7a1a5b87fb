"""A webhook and a delivery as they stand in Redis, where the scripts read and write them too."""

from collections.abc import Mapping

import msgspec

from zypher_jobs.contracts.trace import TraceContext, read_stored
from zypher_jobs.contracts.webhook import Delivery, DeliveryAttempt, DeliveryState, Webhook, WebhookEvent
from zypher_jobs.queue import keys
from zypher_jobs.queue.records import instant


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """As the scripts read it: lists are never absent."""

    url: str
    events: list[WebhookEvent]
    models: list[str]
    description: str
    created_at_ms: int
    disabled_at_ms: int = 0
    suspended_at_ms: int = 0


class StoredDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of its hash, without its body."""

    webhook_id: str
    prediction_id: str
    type: WebhookEvent
    url: str
    state: DeliveryState
    created_at_ms: int
    attempts: int = 0
    step: int = 0
    log: str = "[]"
    trace: str = ""
    caller: str = ""
    refused: bool = False
    """Too many were pending."""
    suspended: bool = False
    """Its webhook was."""


class ClaimedDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """One that this process is to deliver, while its lease lasts."""

    delivery_id: str
    claim: int
    webhook_id: str
    prediction_id: str
    type: WebhookEvent
    url: str
    attempts: int
    step: int
    """How many pauses of the schedule it has had."""
    caller: str
    """Whose prediction it was, for one that was given with it."""
    log: list[DeliveryAttempt]
    body: bytes | None
    """As it was sent before; ``None``: it never was."""
    trace: TraceContext | None = None
    """Of who asked for the prediction."""


TOO_MANY = f"{keys.DELIVERIES_PENDING:,} deliveries were pending already; it can be delivered once more."
SUSPENDED = "Not tried: its webhook is suspended, for its receiver has failed too long; it can be delivered once more."
encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Stored).decode
encode_log = msgspec.json.Encoder().encode
_decode_log = msgspec.json.Decoder(list[DeliveryAttempt]).decode


def webhook_of(webhook_id: str, stored: Stored, failing_since_ms: int = 0) -> Webhook:
    """A webhook as people see it."""
    return Webhook(
        webhook_id=webhook_id,
        url=stored.url,
        events=stored.events,
        models=stored.models,
        description=stored.description,
        created_at=instant(stored.created_at_ms),
        disabled_at=instant(stored.disabled_at_ms or None),
        failing_since=instant(failing_since_ms or None),
        suspended_at=instant(stored.suspended_at_ms or None),
    )


def is_suspended(packed: bytes) -> bool:
    """Whether a webhook is, as it stands in Redis."""
    return decode(packed).suspended_at_ms != 0


def _fields(fields: Mapping[bytes, bytes]) -> StoredDelivery:
    texts = {name.decode(): value.decode() for name, value in fields.items() if name != b"body"}
    return msgspec.convert(texts, StoredDelivery, strict=False)


def claimed_of(delivery_id: bytes, claim: int, flat: list[bytes]) -> ClaimedDelivery:
    """A delivery as ``claim_deliveries.lua`` hands it out."""
    fields = dict(zip(flat[::2], flat[1::2], strict=True))
    stored = _fields(fields)
    return ClaimedDelivery(
        delivery_id=delivery_id.decode(),
        claim=claim,
        webhook_id=stored.webhook_id,
        prediction_id=stored.prediction_id,
        type=stored.type,
        url=stored.url,
        attempts=stored.attempts,
        step=stored.step,
        caller=stored.caller,
        log=_decode_log(stored.log),
        body=fields.get(b"body"),
        trace=read_stored(stored.trace),
    )


def delivery_of(delivery_id: str, fields: Mapping[bytes, bytes], due_ms: float | None) -> Delivery:
    """A delivery as people see it."""
    stored = _fields(fields)
    created_at = instant(stored.created_at_ms)
    why = TOO_MANY if stored.refused else SUSPENDED if stored.suspended else ""
    refused = [DeliveryAttempt(at=created_at, duration_ms=0, error=why)] if why else []
    return Delivery(
        delivery_id=delivery_id,
        webhook_id=stored.webhook_id,
        prediction_id=stored.prediction_id,
        type=stored.type,
        url=stored.url,
        state=stored.state,
        created_at=created_at,
        attempts=stored.attempts,
        next_attempt_at=None if due_ms is None else instant(int(due_ms)),
        log=_decode_log(stored.log) + refused,
    )
