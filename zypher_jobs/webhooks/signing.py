"""Signatures of Standard Webhooks: https://www.standardwebhooks.com, scheme v1."""

import base64
import hmac
from collections.abc import Sequence

PREFIX = "whsec_"


def signature(delivery_id: str, timestamp: str, body: bytes, secret: str) -> str:
    """HMAC-SHA256 of ``id.timestamp.body``; raises ``ValueError`` for a secret that is none."""
    content = f"{delivery_id}.{timestamp}.".encode() + body
    key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    return "v1," + base64.b64encode(hmac.digest(key, content, "sha256")).decode()


def signed_headers(delivery_id: str, body: bytes, *, at_s: int, secrets: Sequence[str]) -> dict[str, str]:
    """The headers of one attempt, signed with each secret."""
    signatures = [signature(delivery_id, str(at_s), body, each) for each in secrets]
    return {"webhook-id": delivery_id, "webhook-timestamp": str(at_s), "webhook-signature": " ".join(signatures)}
