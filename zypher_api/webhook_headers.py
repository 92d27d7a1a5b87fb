"""The headers by which a prediction brings its own webhook: ``Webhook-Url`` and ``Webhook-Events``."""

from zypher_api.problems import MalformedRequest
from zypher_jobs.contracts.webhook import WebhookEvent
from zypher_jobs.errors import InvalidInput
from zypher_jobs.webhooks.addresses import AddressPolicy, require_url

COMPLETED = "completed"
"""However it ended; what other prediction APIs call it."""
_PREFIX = "prediction."
_STATUSES = {event.removeprefix(_PREFIX) for event in WebhookEvent}


def wanted_webhook(headers: dict[bytes, bytes], policy: AddressPolicy, *, later: bool) -> str:
    """As ``PredictionQueue.submit`` takes it; ``later``: whether it is queued. Raises ``MalformedRequest``."""
    if b"webhook-url" not in headers:
        return ""
    if not later:
        raise MalformedRequest(
            "A webhook is told of a prediction that is answered later: send Prefer: respond-async, too.",
            field="Webhook-Url",
        )
    url = headers[b"webhook-url"].decode("latin-1").strip()
    try:
        require_url(url, policy, field="Webhook-Url")
    except InvalidInput as error:
        raise MalformedRequest(error.message, field="Webhook-Url") from None
    asked = headers.get(b"webhook-events", b"").decode("latin-1")
    statuses = {name.strip().lower().removeprefix(_PREFIX) for name in asked.split(",") if name.strip()}
    if not statuses <= {COMPLETED, *_STATUSES}:
        known = ", ".join([*WebhookEvent, COMPLETED])
        raise MalformedRequest(f"Webhook-Events must be some of {known}, comma separated.", field="Webhook-Events")
    return url if COMPLETED in statuses else " ".join([url, *sorted(statuses)])
