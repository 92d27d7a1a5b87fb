"""Who was told of a prediction's end in the simulated system, and how that went."""

from datetime import timedelta

from zypher_jobs.contracts.webhook import Delivery, DeliveryAttempt, DeliveryState, WebhookEvent
from zypher_tui.sources.demo.records import Run, at

TOLD = "c41f09b2"
"""The caller who has a webhook."""
WEBHOOK_ID, URL = "wh_5d0c2a", "https://orders.example/hooks/zypher"


def deliveries_of(run: Run) -> list[Delivery]:
    """One for each that ended and whose caller is told; some need a second attempt, and some get none of it."""
    if run.caller != TOLD or run.finished_s is None or run.worker.startswith("api-"):
        return []
    chance = int(run.prediction_id[:4], 16) % 16
    ended_at = at(run.finished_s)
    refused = DeliveryAttempt(
        at=ended_at + timedelta(milliseconds=9), duration_ms=41.0, status=503, error="it answered 503",
        response="upstream is starting", retry_after_s=5,
    )  # fmt: skip
    taken = DeliveryAttempt(at=ended_at + timedelta(milliseconds=11), duration_ms=38.5, status=200)
    again = DeliveryAttempt(at=ended_at + timedelta(seconds=5.2), duration_ms=22.1, status=200)
    log = [refused, again] if chance < 3 else [refused] if chance == 3 else [taken]
    return [
        Delivery(
            delivery_id=f"dl_{run.prediction_id[:12]}",
            webhook_id=WEBHOOK_ID,
            prediction_id=run.prediction_id,
            type=WebhookEvent(f"prediction.{run.status.value}"),
            url=URL,
            state=DeliveryState.DELIVERED if log[-1].status == 200 else DeliveryState.PENDING,
            created_at=ended_at,
            attempts=len(log),
            next_attempt_at=None if log[-1].status == 200 else ended_at + timedelta(minutes=5),
            log=log,
        )
    ]
