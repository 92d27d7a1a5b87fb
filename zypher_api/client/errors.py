"""What the client raises, by the ``code`` of the problem that the API answered with.

::

    ZypherError                     code, message: the root of this project's errors
    ├── WaitTimeout                 it had not ended in time; prediction_id says which, and it goes on
    ├── StreamBroken                pieces of an output were lost, or it began anew
    ├── SomeRefused                 of many not all were queued: prediction_ids, errors
    ├── InvalidSignature            a webhook that nobody with the secret has sent, or an old one
    ├── Unreachable                 the API did not answer, for as long as the client tried
    ├── PredictionFailed            it ended without an output: error, prediction_id
    │   ├── PredictionCanceled      somebody canceled it
    │   └── PredictionExpired       it waited past its deadline
    └── Refused                     the API answered with a problem: status, request_id
        ├── Invalid                 400, 413, 415, 422: field says what is wrong with what was sent
        ├── Unauthorized            401: no key, or none that is one
        ├── Forbidden               403: the key is not for this
        ├── NotFound                404: no such model, version, prediction
        ├── Conflict                409: not as things stand
        ├── RateLimited             429: retry_after_s
        ├── Unavailable             503: retry_after_s
        └── ServerError             any other 5xx

``message`` is a whole sentence for people, ``code`` is for programs and stays as it is.
"""

from typing import Any

from zypher_jobs.contracts.prediction import PredictionFailure
from zypher_jobs.errors import ZypherError

__all__ = [
    "Conflict",
    "Forbidden",
    "Invalid",
    "InvalidSignature",
    "NotFound",
    "PredictionCanceled",
    "PredictionExpired",
    "PredictionFailed",
    "RateLimited",
    "Refused",
    "ServerError",
    "SomeRefused",
    "StreamBroken",
    "Unauthorized",
    "Unavailable",
    "Unreachable",
    "WaitTimeout",
    "ZypherError",
]


def _again(kind: type[ZypherError], arguments: tuple[Any, ...], facts: dict[str, Any]) -> ZypherError:
    """An error that comes out of another process: one that pickle could not make again would end a whole pool."""
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(facts)
    return error


class WaitTimeout(ZypherError):
    """The prediction had not ended when the caller's time was over. One of the queue goes on; wait for it again."""

    code = "wait_timeout"

    def __init__(self, message: str, *, prediction_id: str | None = None) -> None:
        super().__init__(message)
        self.prediction_id = prediction_id


class StreamBroken(ZypherError):
    """The pieces so far and those to come make no whole: the connection broke, some are lost, or it began anew.

    A prediction of the queue (``prediction_id``) goes on, and ``wait()`` has its whole output.
    """

    code = "stream_broken"

    def __init__(self, message: str, *, prediction_id: str | None = None) -> None:
        super().__init__(message)
        self.prediction_id = prediction_id


class SomeRefused(ZypherError):
    """Of predictions that were submitted together, not all were queued; those that were run all the same."""

    code = "some_refused"

    def __init__(self, prediction_ids: list[str | None], errors: dict[int, ZypherError]) -> None:
        first, error = next(iter(errors.items()))
        super().__init__(
            f"{len(errors):,} of {len(prediction_ids):,} predictions were not queued; the first is inputs[{first}]: "
            f"{error.message}"
        )
        self.prediction_ids = prediction_ids
        """Of each input in order; ``None``: it was not queued."""
        self.errors = errors
        """Place of the input → what ``submit`` would have raised for it."""

    def __reduce__(self) -> Any:
        return _again, (type(self), self.args, self.__dict__)


class InvalidSignature(ZypherError):
    """The body of a webhook is not signed with any of the secrets, or was signed too long ago: do not trust it."""

    code = "invalid_signature"


class Unreachable(ZypherError):
    """The API did not answer, for as long as the client tried: nobody listens there, or the connection broke."""

    code = "unreachable"


class PredictionFailed(ZypherError):
    """It ended without an output; ``code`` says why: ``model_error``, ``timeout``, ``out_of_memory``, …"""

    def __init__(self, error: PredictionFailure, *, prediction_id: str | None = None) -> None:
        super().__init__(error.message)
        self.code = error.code
        self.error = error
        self.prediction_id = prediction_id

    def __reduce__(self) -> Any:
        return _again, (type(self), self.args, self.__dict__)


class PredictionCanceled(PredictionFailed):
    """Somebody canceled it."""


class PredictionExpired(PredictionFailed):
    """It waited past its deadline and was not begun."""


class Refused(ZypherError):
    """The API answered with a problem (RFC 9457)."""

    def __init__(
        self,
        message: str,
        *,
        code: str,
        status: int,
        request_id: str | None = None,
        field: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.request_id = request_id
        """Stands in the API's log."""
        self.field = field
        """What is wrong: a JSON path into the input (``$`` is all of it), or the name of a header or parameter."""
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> Any:
        return _again, (type(self), self.args, self.__dict__)


class Invalid(Refused):
    """What was sent cannot be used; ``field`` says which part of it."""


class Unauthorized(Refused):
    """A key is wanted: ``Client(api_key=…)`` or ``ZYPHER_API_KEY``."""


class Forbidden(Refused):
    """The key is good, but not for this."""


class NotFound(Refused):
    """No such model, version or prediction."""


class Conflict(Refused):
    """It cannot be done as things stand."""


class RateLimited(Refused):
    """Too much at once, or a queue that is full; the same may succeed after ``retry_after_s``."""


class Unavailable(Refused):
    """Not now; the same may succeed after ``retry_after_s``."""


class ServerError(Refused):
    """The API, or a proxy in front of it, failed."""
