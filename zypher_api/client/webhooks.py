"""``verify_webhook``: a body that came to a webhook → what it says, if it is signed with the secret.

https://www.standardwebhooks.com, scheme v1: HMAC-SHA256 of ``id.timestamp.body``, and a time that is not long ago.
"""

import hmac
import math
import time
from collections.abc import Mapping, Sequence

import msgspec

from zypher_api.client.errors import InvalidSignature
from zypher_jobs.contracts.webhook import WebhookPayload
from zypher_jobs.webhooks.signing import PREFIX, signature

_payload = msgspec.json.Decoder(WebhookPayload).decode
_WANTED = "secret must be like whsec_…, as the webhook's registration gave it, or several of them."
_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


def verify_webhook(
    body: bytes, headers: Mapping[str, str], secret: str | Sequence[str], *, tolerance_s: float = 300
) -> WebhookPayload:
    """What Zypher tells; raises ``InvalidSignature`` for what it has not sent, or not just now.

    ``body`` is what came, byte for byte, ``headers`` have names in any case. While a secret is being replaced, give the
    old one and the new one; one that fits is enough. The same delivery may come twice: ``webhook-id`` tells.
    """
    said = {name.lower(): value for name, value in headers.items()}
    missing = [name for name in _HEADERS if not said.get(name)]
    if missing:
        raise InvalidSignature(f"The header {missing[0]} is missing.")
    delivery_id, timestamp, signatures = (said[name] for name in _HEADERS)
    _check_time(timestamp, tolerance_s)
    expected = [_signature(delivery_id, timestamp, body, each) for each in _secrets(secret)]
    # all are compared, each in constant time: how long it takes says nothing
    fits = [hmac.compare_digest(each.encode(), given.encode()) for each in expected for given in signatures.split(" ")]
    if not any(fits):
        raise InvalidSignature("The body is not signed with the secret of this webhook.")
    try:
        return _payload(body)
    except msgspec.MsgspecError as error:
        raise InvalidSignature(f"The body is signed, but is no delivery of Zypher: {error}.") from error


def _secrets(given: str | Sequence[str]) -> Sequence[str]:
    secrets = [given] if isinstance(given, str) else given
    if not secrets or not all(each.removeprefix(PREFIX) for each in secrets):
        raise ValueError(_WANTED)
    return secrets


def _signature(delivery_id: str, timestamp: str, body: bytes, secret: str) -> str:
    try:
        return signature(delivery_id, timestamp, body, secret)
    except ValueError:
        raise ValueError(_WANTED) from None  # what it was is not for a log


def _check_time(timestamp: str, tolerance_s: float) -> None:
    try:
        age_s = time.time() - float(timestamp)
    except ValueError:
        age_s = math.nan
    if not abs(age_s) <= tolerance_s:
        raise InvalidSignature("The header webhook-timestamp is not of now: it may be an old delivery, sent again.")
