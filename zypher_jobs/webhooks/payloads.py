"""What is sent: the prediction as it is read, without its output where that is too large to be kept for three days."""

import msgspec

from zypher_jobs.contracts.prediction import Prediction
from zypher_jobs.contracts.webhook import MOST_BODY_BYTES, WebhookEvent, WebhookPayload

_encode = msgspec.json.Encoder().encode


def payload_of(prediction: Prediction, event: WebhookEvent) -> bytes:
    """The body of a delivery."""
    whole = WebhookPayload(
        type=event,
        timestamp=prediction.finished_at or prediction.created_at,
        location=f"/predict/{prediction.prediction_id}",
        data=prediction,
    )
    body = _encode(whole)
    if len(body) <= MOST_BODY_BYTES:
        return body
    return _encode(
        msgspec.structs.replace(whole, output_omitted=True, data=msgspec.structs.replace(prediction, output=None))
    )
