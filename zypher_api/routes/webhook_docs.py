"""What the documentation says of the routes about webhooks."""

from datetime import UTC, datetime

import msgspec

from zypher_api.openapi import ANY_SCOPE, EXAMPLE_ID, Answer, Content, Operation, Parameter
from zypher_api.queries import USUAL_LIMIT, limit_parameter
from zypher_api.routes.predictions import PREDICTION_ID
from zypher_api.webhook_answers import DeliveryList, WebhookList
from zypher_jobs.contracts.access import Scope
from zypher_jobs.contracts.webhook import (
    DIRECT,
    Delivery,
    DeliveryAttempt,
    DeliveryState,
    NewWebhook,
    SecretHint,
    Webhook,
    WebhookChange,
    WebhookEvent,
    WebhookRequest,
    WebhookSecret,
)

MOST = 1_000
"""Deliveries of one answer."""
WRONG_LIMIT = f"limit must be a whole number from 1 to {MOST}, such as ?limit={USUAL_LIMIT}."
MALFORMED = 'The body is not JSON; send one such as {"url":"https://example.com/hook"}.'
REFUSED_URL = "127.0.0.1 is no public address; ZYPHER_WEBHOOK_ALLOW names those that may be told all the same."

_AT = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105  # an example
_WEBHOOK = Webhook(
    webhook_id="wh_5f0c2a7be1d94a3c8b6e0f12",
    url="https://example.com/hook",
    events=[WebhookEvent.FAILED],
    models=["mock"],
    created_at=_AT,
)
_NEW = NewWebhook(**msgspec.structs.asdict(_WEBHOOK), secret=_SECRET)
_DELIVERY = Delivery(
    delivery_id=f"{EXAMPLE_ID}-direct",
    webhook_id=DIRECT,
    prediction_id=EXAMPLE_ID,
    type=WebhookEvent.SUCCEEDED,
    url="https://example.com/hook",
    state=DeliveryState.PENDING,
    created_at=_AT,
    attempts=1,
    next_attempt_at=datetime(2026, 11, 23, 12, 0, 5, tzinfo=UTC),
    log=[DeliveryAttempt(at=_AT, duration_ms=12.5, status=503, error="It answered 503.", response="busy")],
)
_WEBHOOK_ID = Parameter(
    name="webhook_id",
    place="path",
    description="From the answer to its registration.",
    schema={"type": "string"},
    example=_WEBHOOK.webhook_id,
)
_SECRET_OF = msgspec.structs.replace(
    _WEBHOOK_ID,
    description="From the answer to its registration; `direct` for those that are given with predictions, by the key "
    "that asks: for that the scope `predict` is enough.",
    example=DIRECT,
)
_DELIVERY_ID = Parameter(
    name="delivery_id",
    place="path",
    description="As in the header `webhook-id`.",
    schema={"type": "string"},
    example=_DELIVERY.delivery_id,
)
_LISTED = Content(type=WebhookList, example=WebhookList(webhooks=[_WEBHOOK]))
_DELIVERED = Content(type=DeliveryList, example=DeliveryList(deliveries=[_DELIVERY]))
_ONE = Content(type=Delivery, example=_DELIVERY)
_HINT = Content(type=SecretHint, example=SecretHint(webhook_id=DIRECT, secret_begins=_SECRET[:10]))
_SECRETS = Content(type=WebhookSecret, example=WebhookSecret(webhook_id=DIRECT, secret=_SECRET))

REGISTER = Operation(
    method="post",
    path="/webhooks",
    operation_id="register_webhook",
    scopes=(Scope.OPERATE,),
    tag="webhooks",
    summary="Register a webhook",
    description="It is told of every prediction of the queue that ends from now on. One prediction alone is told with "
    "the header `Webhook-Url` of its request.",
    body=Content(type=WebhookRequest, example=WebhookRequest(url=_WEBHOOK.url, events=[WebhookEvent.FAILED])),
    answers={
        201: Answer(
            description="It is registered.",
            content=Content(type=NewWebhook, example=_NEW),
            headers={"Location": "Where to read it."},
        )
    },
    problems=(
        *("malformed_request", "malformed_input", "body_too_large", "unsupported_media_type", "invalid_input"),
        *("conflict", "redis_unavailable"),
    ),
    problem_examples={
        "malformed_input": (MALFORMED, "$"),
        "invalid_input": (REFUSED_URL, "$.url"),
        "conflict": ("100 webhooks are registered; delete one that is not needed.", None),
    },
)
LIST = Operation(
    method="get",
    path="/webhooks",
    operation_id="list_webhooks",
    scopes=(Scope.READ, Scope.OPERATE),
    tag="webhooks",
    summary="List webhooks",
    answers={200: Answer(description="All that are registered.", content=_LISTED)},
    problems=("redis_unavailable",),
)
READ = Operation(
    method="get",
    path="/webhooks/{webhook_id}",
    operation_id="read_webhook",
    scopes=(Scope.READ, Scope.OPERATE),
    tag="webhooks",
    summary="Read a webhook",
    parameters=(_WEBHOOK_ID,),
    answers={200: Answer(description="It.", content=Content(type=Webhook, example=_WEBHOOK))},
    problems=("unknown_webhook", "redis_unavailable"),
)
CHANGE = Operation(
    method="patch",
    path="/webhooks/{webhook_id}",
    operation_id="change_webhook",
    scopes=(Scope.OPERATE,),
    tag="webhooks",
    summary="Change a webhook, disable it, or enable it again",
    description="What is not named stays. What is pending for it goes to its new URL; what failed while it was "
    "disabled can be delivered once more.",
    parameters=(_WEBHOOK_ID,),
    body=Content(type=WebhookChange, example=WebhookChange(disabled=False)),
    answers={200: Answer(description="It as it is now.", content=Content(type=Webhook, example=_WEBHOOK))},
    problems=(
        *("malformed_request", "malformed_input", "body_too_large", "unsupported_media_type", "invalid_input"),
        *("unknown_webhook", "redis_unavailable"),
    ),
    problem_examples={"malformed_input": (MALFORMED, "$"), "invalid_input": (REFUSED_URL, "$.url")},
)
DELETE = Operation(
    method="delete",
    path="/webhooks/{webhook_id}",
    operation_id="delete_webhook",
    scopes=(Scope.OPERATE,),
    tag="webhooks",
    summary="Delete a webhook",
    description="What is pending for it is given up.",
    parameters=(_WEBHOOK_ID,),
    answers={200: Answer(description="Those that are left.", content=_LISTED)},
    problems=("unknown_webhook", "redis_unavailable"),
)
SECRET = Operation(
    method="get",
    path="/webhooks/{webhook_id}/secret",
    operation_id="read_webhook_secret",
    scopes=(Scope.PREDICT, Scope.OPERATE),
    tag="webhooks",
    summary="See which secret deliveries are signed with",
    description="How it begins; all of it is shown only when it is made.",
    parameters=(_SECRET_OF,),
    answers={200: Answer(description="How it begins.", content=_HINT)},
    problems=("unknown_webhook", "redis_unavailable"),
)
ROTATE = Operation(
    method="post",
    path="/webhooks/{webhook_id}/secret",
    operation_id="rotate_webhook_secret",
    scopes=(Scope.PREDICT, Scope.OPERATE),
    tag="webhooks",
    summary="Make a new secret that deliveries are signed with",
    description="It is shown here and never again. The old one signs beside it for a day.",
    parameters=(_SECRET_OF,),
    answers={200: Answer(description="The new secret.", content=_SECRETS)},
    problems=("unknown_webhook", "redis_unavailable"),
)
DELIVERIES = Operation(
    method="get",
    path="/webhooks/{webhook_id}/deliveries",
    operation_id="list_webhook_deliveries",
    scopes=(Scope.READ, Scope.OPERATE),
    tag="webhooks",
    summary="List what was delivered to a webhook",
    parameters=(
        _WEBHOOK_ID,
        limit_parameter(MOST),
    ),
    answers={200: Answer(description="Deliveries, newest first.", content=_DELIVERED)},
    problems=("malformed_request", "unknown_webhook", "redis_unavailable"),
    problem_examples={"malformed_request": (WRONG_LIMIT, "limit")},
)
OF_PREDICTION = Operation(
    method="get",
    path="/predict/{prediction_id}/deliveries",
    operation_id="list_prediction_deliveries",
    scopes=ANY_SCOPE,
    tag="webhooks",
    summary="List who was told of a prediction",
    description="None before it has ended.",
    parameters=(PREDICTION_ID,),
    answers={200: Answer(description="Its deliveries.", content=_DELIVERED)},
    problems=("malformed_request", "redis_unavailable"),
)
DELIVERY = Operation(
    method="get",
    path="/deliveries/{delivery_id}",
    operation_id="read_delivery",
    scopes=(Scope.READ, Scope.OPERATE),
    tag="webhooks",
    summary="Read a delivery",
    parameters=(_DELIVERY_ID,),
    answers={200: Answer(description="It, with its attempts.", content=_ONE)},
    problems=("unknown_delivery", "redis_unavailable"),
)
REDELIVER = Operation(
    method="post",
    path="/deliveries/{delivery_id}/redeliver",
    operation_id="redeliver",
    scopes=(Scope.OPERATE,),
    tag="webhooks",
    summary="Deliver once more",
    description="At once, and then by its schedule, whatever came of it before.",
    parameters=(_DELIVERY_ID,),
    answers={202: Answer(description="It is pending.", content=_ONE)},
    problems=("unknown_delivery", "redis_unavailable"),
)
