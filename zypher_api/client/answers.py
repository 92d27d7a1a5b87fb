"""Answer → what it says, or the error that it is."""

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from zypher_api.answers import End
from zypher_api.client.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    PredictionCanceled,
    PredictionExpired,
    PredictionFailed,
    RateLimited,
    Refused,
    ServerError,
    Unauthorized,
    Unavailable,
    ZypherError,
)
from zypher_api.client.messages import Answer
from zypher_jobs.contracts.prediction import Prediction, PredictionFailure, Status

FAILURES = frozenset(
    {
        *("prediction_failed", "model_error", "timeout", "model_crashed", "out_of_memory", "remote_unavailable"),
        *("remote_refused", "remote_failed", "attempts_exhausted", "poison", "canceled", "expired"),
    }
)
"""Codes of predictions that ended without an output."""
_FAILED: dict[str, type[PredictionFailed]] = {"canceled": PredictionCanceled, "expired": PredictionExpired}
_BY_CODE: dict[str, type[Refused]] = {"request_outstanding": Unavailable}
_BY_STATUS: dict[int, type[Refused]] = {
    401: Unauthorized, 403: Forbidden, 404: NotFound, 409: Conflict, 429: RateLimited, 503: Unavailable
}  # fmt: skip


class _Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What the client reads of a problem document."""

    code: str
    detail: str
    request_id: str | None = None
    field: str | None = None


_problem = msgspec.json.Decoder(_Problem).decode


def check(answer: Answer) -> None:
    """Raises the error that the answer is, unless it is none."""
    if answer.status < 300:
        return
    try:
        problem = _problem(answer.body)
    except msgspec.MsgspecError:  # a proxy's page, or no Zypher at all
        said = f"The server answered {answer.status}, and not as a Zypher API does; is the URL right?"
        problem = _Problem(code=f"http_{answer.status}", detail=said, request_id=answer.headers.get("request-id"))
    prediction_id = answer.headers.get("prediction-id")
    if problem.code in FAILURES or (prediction_id and answer.status >= 500):
        raise failed(PredictionFailure(code=problem.code, message=problem.detail), prediction_id)
    kind = (
        _BY_CODE.get(problem.code) or _BY_STATUS.get(answer.status) or (Invalid if answer.status < 500 else ServerError)
    )
    raise kind(
        problem.detail,
        code=problem.code,
        status=answer.status,
        request_id=problem.request_id,
        field=problem.field,
        retry_after_s=retry_after_s(answer.headers),
    )


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds; ``None`` where the header is absent or a date, which this API never sends."""
    try:
        seconds = float(headers["retry-after"])
    except (KeyError, ValueError):
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def failed(error: PredictionFailure, prediction_id: str | None) -> PredictionFailed:
    """The error of a prediction that ended without an output."""
    return _FAILED.get(error.code, PredictionFailed)(error, prediction_id=prediction_id)


def output_of(ended: Prediction | End, output_type: Any) -> Any:
    """The output of one that has ended, as ``output_type``; raises ``PredictionFailed``."""
    if ended.status is not Status.SUCCEEDED:
        error = ended.error or PredictionFailure(
            code="prediction_failed", message=f"The prediction was {ended.status}."
        )
        raise failed(error, ended.prediction_id)
    return converted(ended.output, output_type)


def converted(output: Any, output_type: Any) -> Any:
    """A plain value as ``output_type``; raises ``ZypherError`` where the model gives another one."""
    if output_type is None:
        return output
    try:
        return msgspec.convert(output, output_type)
    except msgspec.ValidationError as error:
        raise _another_type(output_type, error) from error


def decoded(body: bytes, wanted: Any) -> Any:
    """JSON as ``wanted``; raises ``ZypherError`` for what is none."""
    try:
        return msgspec.json.decode(body, type=wanted)
    except msgspec.MsgspecError as error:
        raise _another_type(wanted, error) from error


def _another_type(wanted: Any, error: msgspec.MsgspecError) -> ZypherError:
    name = getattr(wanted, "__name__", str(wanted))
    return ZypherError(f"What the server sent is no {name}: {error}.")
