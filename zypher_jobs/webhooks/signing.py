"""Signatures of Standard Webhooks: https://www.standardwebhooks.com, scheme v1."""

import base64
import hmac
from collections.abc import Sequence

PREFIX = "whsec_"


def signed_headers(delivery_id: str, body: bytes, *, at_s: int, secrets: Sequence[str]) -> dict[str, str]:
    """The headers of one attempt, signed with each secret: HMAC-SHA256 of ``id.timestamp.body``."""
    content = f"{delivery_id}.{at_s}.".encode() + body
    signatures = [
        "v1," + base64.b64encode(hmac.digest(base64.b64decode(each.removeprefix(PREFIX)), content, "sha256")).decode()
        for each in secrets
    ]
    return {"webhook-id": delivery_id, "webhook-timestamp": str(at_s), "webhook-signature": " ".join(signatures)}
