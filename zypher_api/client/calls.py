"""Each call of the client as steps: what ``Client`` and ``AsyncClient`` do, without how they wait for it."""

import math
import time
from collections.abc import Callable
from typing import Any

import httpx

from zypher_api.answers import Accepted, PredictionPage
from zypher_api.client import requests
from zypher_api.client.answers import decoded, output_of, retry_after_s
from zypher_api.client.errors import RateLimited, Unavailable, Unreachable, WaitTimeout
from zypher_api.client.messages import Give, Pause, Request, Steps
from zypher_api.client.patience import BROKEN, NOT_SENT, Patience, Retries, answered
from zypher_jobs.contracts.prediction import Prediction, Status

HOLD_S = 30.0
"""How long the server holds one request of a wait; it would hold 60 s, but not every proxy does."""
LOOK_S = 1.0
"""The same where the caller wants to see how far it is."""
PAGE = 100

OnProgress = Callable[[Prediction], None]


def predict(request: Request, retries: Retries, output_type: Any) -> Steps[Any]:
    """The output, now. What may have arrived is only sent again under an ``Idempotency-Key``."""
    patience = Patience(retries, retries.call_s, until_s=time.monotonic() + request.timeout_s)
    again = BROKEN if "Idempotency-Key" in request.headers else NOT_SENT
    try:
        answer = yield from answered(request, patience, again=again)
    except Unreachable as error:
        if isinstance(error.__cause__, httpx.ReadTimeout):
            raise WaitTimeout(f"There was no answer within {request.timeout_s:g} s.") from error
        raise
    return decoded(answer.body, Any if output_type is None else output_type)


def submit(request: Request, retries: Retries) -> Steps[str]:
    """Its id, now."""
    answer = yield from answered(request, Patience(retries, retries.call_s))
    accepted: Accepted = decoded(answer.body, Accepted)
    return accepted.prediction_id


def read(prediction_id: str, retries: Retries) -> Steps[Prediction]:
    """It as it stands."""
    return (yield from _prediction(requests.read(prediction_id), Patience(retries, retries.call_s)))


def cancel(prediction_id: str, retries: Retries) -> Steps[Prediction]:
    """It as it stands then: canceled, still running and being stopped, or as it had ended."""
    return (yield from _prediction(requests.cancel(prediction_id), Patience(retries, retries.call_s)))


def wait(
    prediction_id: str, retries: Retries, output_type: Any, *, timeout_s: float | None, on_progress: OnProgress | None
) -> Steps[Any]:
    """Its output, as soon as it has ended; ``on_progress`` sees it each time it has changed."""
    until_s = math.inf if timeout_s is None else time.monotonic() + timeout_s
    try:
        ended = yield from _ended(
            prediction_id, Patience(retries, retries.wait_s, until_s=until_s), until_s, on_progress
        )
    except (Unreachable, Unavailable, RateLimited) as error:
        if time.monotonic() < until_s:
            raise
        raise _too_late(prediction_id, timeout_s) from error
    if ended is None:
        raise _too_late(prediction_id, timeout_s)
    return output_of(ended, output_type)


def pages(*, status: Status | str | None, model: str | None, retries: Retries) -> Steps[None]:
    """Gives every prediction, newest first; asks for the next page when one is used up."""
    before: str | None = None
    while True:
        request = requests.page(status=status, model=model, before=before, limit=PAGE)
        answer = yield from answered(request, Patience(retries, retries.call_s))
        page: PredictionPage = decoded(answer.body, PredictionPage)
        for each in page.predictions:
            yield Give(each)
        if page.next is None:
            return
        before = page.next


def _prediction(request: Request, patience: Patience) -> Steps[Prediction]:
    answer = yield from answered(request, patience)
    return decoded(answer.body, Prediction)


def _ended(
    prediction_id: str, patience: Patience, until_s: float, on_progress: OnProgress | None
) -> Steps[Prediction | None]:
    shown: Prediction | None = None
    while True:
        asked_s = time.monotonic()
        hold_s = max(0.0, min(HOLD_S if on_progress is None else LOOK_S, until_s - asked_s))
        answer = yield from answered(requests.read(prediction_id, hold_s=hold_s), patience)
        prediction: Prediction = decoded(answer.body, Prediction)
        if on_progress is not None and prediction != shown:
            shown = prediction
            on_progress(prediction)
        if prediction.status.is_terminal:
            return prediction
        now_s = time.monotonic()
        if now_s >= until_s:
            return None
        if now_s - asked_s < hold_s / 2:  # the server does not hold it: it drains
            yield Pause(min(retry_after_s(answer.headers) or LOOK_S, until_s - now_s))


def _too_late(prediction_id: str, timeout_s: float | None) -> WaitTimeout:
    return WaitTimeout(
        f"Prediction {prediction_id} has not ended within {timeout_s:g} s; it goes on, and can be waited for again.",
        prediction_id=prediction_id,
    )
