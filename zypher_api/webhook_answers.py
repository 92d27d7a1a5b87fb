"""Bodies of answers about webhooks that only the API gives."""

import msgspec

from zypher_jobs.contracts.webhook import Delivery, Webhook


class WebhookList(msgspec.Struct, frozen=True, kw_only=True):
    """Every webhook that is registered, oldest first."""

    webhooks: list[Webhook]


class DeliveryList(msgspec.Struct, frozen=True, kw_only=True):
    """Deliveries, newest first."""

    deliveries: list[Delivery]
