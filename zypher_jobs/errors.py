"""Every error that Zypher raises on purpose, as one tree; each class has a stable ``code``.

::

    ZypherError
    ├── SettingError              a setting is unknown or wrong; the start stops          invalid_setting
    ├── StartError                a part cannot start: port, data directory, Redis        cannot_start
    ├── InvalidInput              the input does not fit the model's schema               invalid_input
    │   ├── MalformedInput        it is no JSON at all                                    malformed_input
    │   └── InvalidUpload         a manifest or a model's file cannot be deployed         invalid_upload
    ├── UploadTooLarge            a model's file is larger than may be                    upload_too_large
    ├── Conflict                  not as things stand                                     conflict
    ├── KeyReused                 an Idempotency-Key came with another request            idempotency_key_reused
    ├── AnswerNotKept             what was answered once is too large to be given again   answer_not_kept
    ├── ModelDefinitionError      a model's class is not one that can be served           invalid_model
    ├── NotFound
    │   ├── UnknownModel                                                                  unknown_model
    │   ├── UnknownVersion                                                                unknown_version
    │   ├── UnknownPrediction                                                             unknown_prediction
    │   ├── UnknownWebhook                                                                unknown_webhook
    │   ├── UnknownDelivery                                                               unknown_delivery
    │   ├── UnknownKey                                                                    unknown_key
    │   ├── UnknownQueue                                                                  unknown_queue
    │   └── UnknownWorker                                                                 unknown_worker
    ├── CapacityError             too much at once; the same request may succeed later
    │   ├── QueueFull             as many wait as may wait                                queue_full
    │   ├── RateLimited           a key asks for more than it may in that time            rate_limited
    │   ├── TooManyAtOnce         as many of a key's wait and run as may                  too_many_at_once
    │   └── Overloaded            more comes than can be done                             overloaded
    ├── Unavailable               the same request may succeed later
    │   ├── RedisUnavailable                                                              redis_unavailable
    │   ├── ModelNotReady         it did not load                                         model_not_ready
    │   ├── VersionNotReady       some process cannot serve the version yet               version_not_ready
    │   ├── StoreUnavailable      the model store does not answer                         store_unavailable
    │   └── RequestOutstanding    another try of the same request is not answered yet     request_outstanding
    └── PredictionFailed          an attempt ended without an output
        ├── ModelError            the model's code raised                                 model_error
        ├── PredictionTimeout     it ran longer than its timeout                          timeout
        ├── ModelCrashed          the process that ran it ended under it                  model_crashed
        ├── OutOfMemory           that process took more memory than it may               out_of_memory
        ├── RemoteUnavailable     the server that runs the model is away                  remote_unavailable
        ├── RemoteRefused         that server refused the input                           remote_refused
        ├── RemoteFailed          that server failed, or what it answered is broken       remote_failed
        ├── PredictionCanceled    nobody wanted its output any more                       canceled
        ├── AttemptsExhausted     every attempt was begun and none reported back          attempts_exhausted
        ├── PoisonedPrediction    its workers died under it                               poison
        └── DeadlinePassed        it waited past its deadline                             expired

What an error means over HTTP is decided in one place, ``zypher_api.problems``.
"""

import math


class ZypherError(Exception):
    """Root of the tree. The message is a whole sentence that may be shown to the caller."""

    code: str = "error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class SettingError(ZypherError):
    """A setting is unknown, or its value is not one it can have."""

    code = "invalid_setting"


class StartError(ZypherError):
    """A part cannot start; the message says which, why and the way out."""

    code = "cannot_start"


class ModelDefinitionError(ZypherError):
    """A model's class cannot be served as it is written."""

    code = "invalid_model"


class InvalidInput(ZypherError):
    """The input does not fit the model's schema; ``field`` is its JSON path (``$`` is the whole input)."""

    code = "invalid_input"

    def __init__(self, message: str, *, field: str = "$") -> None:
        super().__init__(message)
        self.field = field


class MalformedInput(InvalidInput):
    """The body is empty, or no valid JSON: no schema could be asked."""

    code = "malformed_input"


class InvalidUpload(InvalidInput):
    """A manifest or a model's file cannot be deployed; ``field`` is ``file`` or a path into the manifest."""

    code = "invalid_upload"


class UploadTooLarge(ZypherError):
    """A model's file is larger than ``ZYPHER_MODEL_MAX_BYTES``."""

    code = "upload_too_large"


class Conflict(ZypherError):
    """It cannot be done as things stand; the message says what stands against it."""

    code = "conflict"


class KeyReused(ZypherError):
    """An idempotency key came with another request than the first time."""

    code = "idempotency_key_reused"

    def __init__(self) -> None:
        super().__init__(
            "This Idempotency-Key was used for another request: the path or the body is different. Use a new key for "
            "each request, and the same one only to try it again."
        )


class AnswerNotKept(ZypherError):
    """A request with an idempotency key was answered already, with more than is kept; its prediction has the output."""

    code = "answer_not_kept"

    def __init__(self, prediction_id: str, *, body_bytes: int) -> None:
        super().__init__(
            f"This request was answered already, with {body_bytes:,} bytes, which is more than is kept to be sent "
            f"again; GET /predict/{prediction_id} has the output."
        )


class NotFound(ZypherError):
    """Something named by the caller does not exist."""

    code = "not_found"


class UnknownModel(NotFound):
    """No model of that name is registered."""

    code = "unknown_model"

    def __init__(self, name: str, *, known: list[str]) -> None:
        super().__init__(f"No model is called {name!r}. Known models: {', '.join(sorted(known)) or 'none'}.")
        self.name = name


class UnknownVersion(NotFound):
    """The model is known, but no such version of it is served."""

    code = "unknown_version"

    def __init__(self, name: str, version: str, *, known: list[str]) -> None:
        super().__init__(
            f"Model {name!r} has no version {version!r} here. Known versions: {', '.join(known) or 'none'}."
        )
        self.name = name
        self.version = version


class UnknownPrediction(NotFound):
    """No prediction has that id, or its record's retention has ended."""

    code = "unknown_prediction"

    def __init__(self, prediction_id: str) -> None:
        super().__init__(f"No prediction has the id {prediction_id!r}, or its retention has ended.")
        self.prediction_id = prediction_id


class UnknownWebhook(NotFound):
    """No webhook of that id is registered, or its receiver wants to be told nothing more."""

    code = "unknown_webhook"

    def __init__(self, webhook_id: str) -> None:
        super().__init__(f"No webhook {webhook_id!r} is registered, or it is disabled.")


class UnknownDelivery(NotFound):
    """No delivery has that id, or it was too long ago."""

    code = "unknown_delivery"

    def __init__(self, delivery_id: str) -> None:
        super().__init__(f"No delivery has the id {delivery_id!r}, or it was too long ago.")


class UnknownKey(NotFound):
    """No API key has that id or name."""

    code = "unknown_key"

    def __init__(self, name: str) -> None:
        super().__init__(f"No key is called {name!r}; `zypher keys list` shows them all.")


class UnknownQueue(NotFound):
    """No queue has that name."""

    code = "unknown_queue"

    def __init__(self, name: str, *, hint: str) -> None:
        super().__init__(f"No queue is called {name!r}.{hint}")


class UnknownWorker(NotFound):
    """No worker of that id is alive."""

    code = "unknown_worker"

    def __init__(self, worker_id: str) -> None:
        super().__init__(f"No worker {worker_id!r} is alive; GET /workers lists those that are.")


class CapacityError(ZypherError):
    """There is too much to do; the same request may succeed after ``retry_after_s`` seconds."""

    code = "over_capacity"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class QueueFull(CapacityError):
    """As many predictions wait in the queue as may wait; ``retry_after_s`` is from the rate at which it drains."""

    code = "queue_full"

    def __init__(self, queue: str, *, depth: int, limit: int, retry_after_s: float) -> None:
        super().__init__(
            f"The queue is full: {depth:,} predictions wait and {limit:,} may; try again in {retry_after_s:.0f} s.",
            retry_after_s=retry_after_s,
        )
        self.queue = queue
        self.depth = depth
        self.limit = limit
        self.queued = 0
        """Of several that were submitted together: for so many there was room."""


class RateLimited(CapacityError):
    """A key asks for more than it may in that time; after ``retry_after_s`` there is enough again."""

    code = "rate_limited"


class TooManyAtOnce(CapacityError):
    """As many predictions of a key wait and run as may."""

    code = "too_many_at_once"


class Overloaded(CapacityError):
    """More comes than a model or the process can do; ``retry_after_s`` is until what waits now is worked off."""

    code = "overloaded"

    def __init__(self, what: str, *, retry_after_s: float) -> None:
        self.retry_after_s = max(1.0, math.ceil(retry_after_s))
        super().__init__(
            f"{what} is asked for more than it can do; try again in {self.retry_after_s:.0f} s.",
            retry_after_s=self.retry_after_s,
        )


class Unavailable(ZypherError):
    """Not now; the same request may succeed after ``retry_after_s`` seconds."""

    code = "unavailable"

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RedisUnavailable(Unavailable):
    """Redis does not answer, or refuses commands for now. The message holds no address."""

    code = "redis_unavailable"


class ModelNotReady(Unavailable):
    """The model is registered but did not load."""

    code = "model_not_ready"


class VersionNotReady(Unavailable):
    """Some process cannot serve a version; traffic stays where it was."""

    code = "version_not_ready"


class StoreUnavailable(Unavailable):
    """The model store does not answer, or does not have the file."""

    code = "store_unavailable"


class RequestOutstanding(Unavailable):
    """Another try of the same request, by its idempotency key, is not answered yet."""

    code = "request_outstanding"

    def __init__(self, *, retry_after_s: float) -> None:
        super().__init__(
            f"A request with this Idempotency-Key is not answered yet; try again in {retry_after_s:.0f} s.",
            retry_after_s=retry_after_s,
        )


class PredictionFailed(ZypherError):
    """An attempt ended without an output. ``traceback`` is for logs and dead letters, never for callers.

    A failure read back from Redis is rebuilt as this class, under the ``code`` it was stored with. ``may_pass`` says
    that another attempt may succeed: a server is away, or a model's own process says it of an exception that stays
    there, which its retry policy names.
    """

    code = "prediction_failed"

    def __init__(self, message: str, *, code: str | None = None, traceback: str = "", may_pass: bool = False) -> None:
        super().__init__(message)
        self.traceback = traceback
        self.may_pass = may_pass
        if code is not None:
            self.code = code


class ModelError(PredictionFailed):
    """The model's own code raised; the message is ``TypeName: text``."""

    code = "model_error"


class PredictionTimeout(PredictionFailed):
    """The attempt ran longer than its timeout."""

    code = "timeout"


class ModelCrashed(PredictionFailed):
    """The model's own process ended while it ran: by a segmentation fault, an exit. Only what ran in it is lost."""

    code = "model_crashed"


class OutOfMemory(PredictionFailed):
    """The model's own process took more memory than ``memory_limit_mb`` and was ended."""

    code = "out_of_memory"


class RemoteUnavailable(PredictionFailed):
    """The server that runs the model cannot be reached or does not answer now. It says nothing about the input."""

    code = "remote_unavailable"

    def __init__(self, message: str) -> None:
        super().__init__(message, may_pass=True)


class RemoteRefused(PredictionFailed):
    """The server that runs the model refused the input, which fits what it says of the model; the message says why."""

    code = "remote_refused"


class RemoteFailed(PredictionFailed):
    """The server that runs the model failed, or sent an answer that cannot be used."""

    code = "remote_failed"


class PredictionCanceled(PredictionFailed):
    """Nobody wanted its output any more; a model raises it by ``context.check()``."""

    code = "canceled"


class AttemptsExhausted(PredictionFailed):
    """Every allowed attempt was begun and none reported back."""

    code = "attempts_exhausted"


class PoisonedPrediction(PredictionFailed):
    """Workers that ran it died, more than once: it is not tried for ever."""

    code = "poison"


class DeadlinePassed(PredictionFailed):
    """It waited in the queue past its deadline and was not begun."""

    code = "expired"
