"""How long a delivery waits: between its attempts, and while its host has enough under way."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from zypher_jobs.contracts.webhook import DeliveryAttempt
from zypher_jobs.queue.webhook_rows import ClaimedDelivery

JITTER = 0.1
"""Each pause is up to this share longer, so that those that failed together do not come together again."""
LONGEST_ASKED_S = 86_400.0
"""No receiver puts a delivery off for longer."""
PUT_BACK_S = 1.0
"""The first time; twice as long each time, up to ``2 ** PUT_BACK_DOUBLINGS``: many may wait for one dead host."""
PUT_BACK_DOUBLINGS = 6
_SAY_WHEN = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


def put_back_s(claimed: ClaimedDelivery) -> float:
    """How long one waits whose host has enough under way."""
    doublings = min(claimed.claim - claimed.attempts - 1, PUT_BACK_DOUBLINGS)
    return PUT_BACK_S * 2**doublings * random.uniform(0.5, 1)  # noqa: S311  # jitter


def retry_pause_s(step: int, retry_s: Sequence[float], attempt: DeliveryAttempt) -> float:
    """How long one waits that failed: as the schedule has it, or longer if its receiver asked for that.

    Never shorter: who asks for a second each time would have used up three days of attempts in ten seconds.
    """
    pause_s = max(retry_s[step], min(attempt.retry_after_s or 0, LONGEST_ASKED_S))
    return pause_s * random.uniform(1, 1 + JITTER)  # noqa: S311  # jitter


def asked_pause_s(status: int, retry_after: str, *, now: datetime) -> float | None:
    """Seconds from now, of ``Retry-After`` with its seconds or date; ``None`` where it says nothing."""
    if status not in _SAY_WHEN:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds())
